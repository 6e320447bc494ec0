package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// No output may show a password, wherever it was given and however the address is mistyped.
func TestPasswordsReachNoOutput(t *testing.T) {
	const secret = "hunter2hunter2"
	zoo := filepath.Join(t.TempDir(), "zoo.yaml")
	if err := os.WriteFile(zoo, []byte("models: []\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	folders(t, "", "")
	stores := []string{
		"postgres://ucan:" + secret + "@127.0.0.1:1/ucan", "postgress://ucan:" + secret + "@db/ucan", "postgres:ucan:" + secret + "@db/ucan",
		"postgres//ucan:" + secret + "@db/ucan", "postgres://127.0.0.1:1/ucan?user=ucan&password=" + secret, "postgres://u:" + secret + "/x@127.0.0.1:1/ucan",
		"host=127.0.0.1 port=1 password=" + secret + " dbname=ucan", "host=127.0.0.1 password = '" + secret + "'", "mysql://ucan:" + secret + "@db/ucan",
		"postgres://ucan:%zz" + secret + "@db/ucan", "ucan:" + secret + "@db/ucan/", "postgres://ucan:12/" + secret + "@127.0.0.1:1/ucan",
	}
	artifacts := []string{
		"s3://key:" + secret + "@zoo", "s3://zoo?secret_key=" + secret, "s3://zoo?endpoint=http://key:" + secret + "@minio:9000", "s4://key:" + secret + "@zoo/p",
		"s3://zoo?endpoint=ftp://key:" + secret + "@minio", "https://key:" + secret + "@store.example/zoo", "s3:// zoo?X-Amz-Security-Token=" + secret,
	}
	silent := func(args ...string) {
		t.Helper()
		for _, format := range []string{"table", "json"} {
			got := ucan(t, append(args, "--format", format, "--log-level", "debug")...)
			if strings.Contains(got.stdout+got.stderr, secret) {
				t.Errorf("ucan %s --format %s shows the password:\n%s%s", strings.Join(args, " "), format, got.stdout, got.stderr)
			}
		}
	}
	for _, store := range stores {
		silent("zoo", "status", "--store", store)
		silent("worker", "--store", store, "--exit-when-idle")
		t.Setenv("UCAN_ZOO_STORE", store)
		silent("config")
	}
	t.Setenv("UCAN_ZOO_STORE", "")
	for _, depot := range artifacts {
		silent("zoo", "submit", zoo, "--artifacts", depot)
		t.Setenv("UCAN_ZOO_ARTIFACTS", depot)
		silent("config")
	}
	t.Setenv("UCAN_ZOO_ARTIFACTS", "")
	if err := os.WriteFile("named.yaml", []byte("zoo: {store: \"postgres://ucan:"+secret+"@db/ucan\"}\nruntime: {providers: [{azure: {auth_key: "+secret+", endpoint: \"https://"+secret+"@host\"}}]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	silent("config", "--config", "named.yaml")
	if err := os.WriteFile("named.yaml", []byte("zoo: {store: postgres://ucan:"+secret+"@db/ucan, password: "+secret+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	silent("config", "--config", "named.yaml")
	if left, err := filepath.Glob("*" + secret + "*"); err != nil || len(left) > 0 {
		t.Errorf("files named by a password: %v, %v", left, err)
	}
}

// Libraries put errors of their own into the log.
func TestPasswordsReachNoLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: hideSecrets}))
	err := errors.New("cannot connect to postgres://ucan:hunter2hunter2@db/ucan")
	log.With("store", "host=db password=hunter2hunter2").WithGroup("g").Error(err.Error(), "error", err, slog.Any("list", []string{"a"}))
	if strings.Contains(out.String(), "hunter2") || !strings.Contains(out.String(), "list=[a]") {
		t.Error(out.String())
	}
}

func TestLicensesArePrinted(t *testing.T) {
	t.Parallel()
	got := want(t, exitDone, "version", "--licenses")
	for _, part := range []string{"Apache License", "github.com/yalue/onnxruntime_go v", "Mozilla Public License", "github.com/jackc/pgx/v5 v", "onnxruntime is not linked"} {
		if !strings.Contains(got.stdout, part) {
			t.Errorf("no %q", part)
		}
	}
}

// The arguments of child processes are seen by every user of the machine: no secret stands there.
func TestWorkersGetTheStoreByTheirEnvironment(t *testing.T) {
	folders(t, "", "")
	a := newApp(io.Discard, io.Discard)
	cmd, _, err := newRootCommand(a).Find([]string{"zoo", "run"})
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.ParseFlags([]string{"--memory", "512", "--metrics", "9464", "--log-level", "debug", "--attempts", "3"}); err != nil {
		t.Fatal(err)
	}
	if err = a.start(cmd, []string{"zoo.yaml"}); err != nil {
		t.Fatal(err)
	}
	const store = "postgres://ucan:hunter2hunter2@db/ucan"
	environment := a.workerEnvironment(a.bindings[cmd].group.(*superviseOptions), store)
	for _, entry := range []string{"UCAN_ZOO_STORE=" + store, "UCAN_WORKER_MEMORY=512", "UCAN_WORKER_METRICS=", "UCAN_LOG_LEVEL=debug"} {
		if !slices.Contains(environment, entry) {
			t.Errorf("workers are not told %s", entry)
		}
	}
	for _, argument := range workerArguments("cpu", "id") {
		if strings.Contains(argument, "hunter2") || strings.Contains(argument, "store") {
			t.Errorf("argument %q", argument)
		}
	}
}
