package artifact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"ucan/internal/redact"
)

// Bucket is a depot in an S3-compatible object store. Keys come from AWS_ACCESS_KEY_ID and
// AWS_SECRET_ACCESS_KEY, from ~/.aws/credentials or, where no endpoint is named, from the
// machine's role; without any, requests are anonymous. An empty file has no object.
type Bucket struct {
	client         *minio.Client
	bucket, prefix string
}

var _ Depot = (*Bucket)(nil)

func openBucket(location string) (*Bucket, error) {
	const form = "write s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME]"
	fail := func(format string, args ...any) (*Bucket, error) {
		return nil, fmt.Errorf("open the artifacts %q: %w; %s", redact.Address(location), fmt.Errorf(format, args...), form)
	}
	u, err := url.Parse(location)
	if err != nil {
		return fail("it cannot be read as a URL")
	}
	if u.Host == "" || u.User != nil {
		return fail("it must name a bucket and no user (keys belong into the environment)")
	}
	query := u.Query()
	for name := range query {
		if name != "endpoint" && name != "region" {
			return fail("unknown parameter %q", name)
		}
	}
	host, secure := "s3.amazonaws.com", true
	providers := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	if endpoint := query.Get("endpoint"); endpoint != "" {
		e, parseErr := url.Parse(endpoint)
		if parseErr != nil || e.Host == "" || (e.Scheme != "http" && e.Scheme != "https") || strings.Trim(e.Path, "/") != "" || e.User != nil {
			return fail("the endpoint %q is not http(s)://HOST[:PORT] (keys belong into the environment)", redact.Address(endpoint))
		}
		host, secure = e.Host, e.Scheme == "https"
	} else {
		providers = append(providers, &credentials.IAM{})
	}
	client, err := minio.New(host, &minio.Options{
		Creds: credentials.NewChainCredentials(providers), Secure: secure, Region: query.Get("region"), MaxRetries: 5,
	})
	if err != nil {
		return fail("%w", err)
	}
	return &Bucket{client: client, bucket: u.Host, prefix: strings.Trim(u.Path, "/")}, nil
}

func (b *Bucket) key(r Ref) string { return path.Join(b.prefix, key(r)) }

// Open implements [Depot].
func (b *Bucket) Open(ctx context.Context, r Ref) (io.ReadCloser, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if r.Bytes == 0 {
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	object, err := b.client.GetObject(ctx, b.bucket, b.key(r), minio.GetObjectOptions{})
	if err == nil {
		_, err = object.Stat() // nothing is asked of the server before
	}
	if err != nil {
		return nil, b.explain("read", r, err)
	}
	return object, nil
}

// Has implements [Depot].
func (b *Bucket) Has(ctx context.Context, r Ref) (bool, error) {
	if err := r.Validate(); err != nil {
		return false, err
	}
	if r.Bytes == 0 {
		return true, nil
	}
	info, err := b.client.StatObject(ctx, b.bucket, b.key(r), minio.StatObjectOptions{})
	if err != nil {
		if err = b.explain("look for", r, err); errors.Is(err, ErrNotFound) {
			return false, nil
		}
		return false, err
	}
	return info.Size == r.Bytes, nil
}

// Put implements [Depot].
func (b *Bucket) Put(ctx context.Context, r Ref, content io.Reader) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if r.Bytes == 0 {
		return copyVerified(ctx, io.Discard, content, r)
	}
	// The object appears when its upload is complete; a content that is not that of r breaks it
	// off.
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(copyVerified(ctx, pw, content, r)) }()
	_, err := b.client.PutObject(ctx, b.bucket, b.key(r), pr, r.Bytes, minio.PutObjectOptions{ContentType: "application/octet-stream"})
	if err = errors.Join(err, pr.Close()); err != nil {
		return b.explain("put", r, err)
	}
	return nil
}

// explain names the object and what to do; the client's texts name neither.
func (b *Bucket) explain(doing string, r Ref, err error) error {
	response := minio.ToErrorResponse(err)
	what := fmt.Sprintf("%s %q (%.12s…) in bucket %q", doing, r.Name, r.SHA256, b.bucket)
	switch {
	case response.Code == minio.NoSuchBucket:
		return fmt.Errorf("%s: the bucket does not exist; create it, or correct its name", what)
	case response.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s: %w", what, ErrNotFound)
	case response.StatusCode == http.StatusForbidden, response.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s: access denied (%s); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to keys of the bucket", what, response.Code)
	}
	return fmt.Errorf("%s: %w; check that the endpoint can be reached", what, err)
}
