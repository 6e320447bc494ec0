package audit

import (
	"bytes"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"ucan/fixtures/subtest"
)

// schemaOf compiles docs/certificate.schema.json.
func schemaOf(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("../../docs/certificate.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, line []byte) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

// TestCertificatesFollowTheSchema holds every kind of certificate to the published schema.
// TestEveryAlteration holds the schema to the checker.
func TestCertificatesFollowTheSchema(t *testing.T) {
	schema := schemaOf(t)
	for name, line := range subtest.Rows(specimens(t)) {
		t.Run(name, func(t *testing.T) {
			if err := validate(t, schema, line); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSchemaRefuses: changes of form that a certificate of any kind must not have.
func TestSchemaRefuses(t *testing.T) {
	schema, line := schemaOf(t), specimens(t)["selected"]
	for name, change := range subtest.Rows(map[string][2]string{
		"another version":         {`"ucan.certificate/1"`, `"ucan.certificate/2"`},
		"a guarantee of its own":  {`"deployed"`, `"absolute"`},
		"no guarantee":            {`"guarantee":"deployed",`, ``},
		"a status of its own":     {`"certified"`, `"sure"`},
		"a probability above 1":   {`"p_lower":0.`, `"p_lower":1.`},
		"alpha of 0":              {`"alpha":0.001`, `"alpha":0`},
		"a radius in words":       {`"R":0.5`, `"R":"large","x":0.5`},
		"a norm without theorem":  {`"regions":[{"norm":"l2"`, `"regions":[{"norm":"l7"`},
		"a hash too long":         {`"id":"`, `"id":"a`},
		"negative votes":          {`"counts":{"1":`, `"counts":{"1":-`},
		"a class in words":        {`"counts":{"1":`, `"counts":{"cat":`},
		"adaptive without levels": {`"levels"`, `"steps"`},
		"fixed with a grid":       {`"method":"adaptive"`, `"method":"fixed"`},
		"failed without a reason": {`"status":"certified"`, `"status":"failed"`},
		"an error, certified":     {`"status":"certified"`, `"status":"certified","error":"none"`},
		"no shape":                {`"shape":[1,2,3]`, `"shape":[]`},
		"a path of the machine":   {`"run":{`, `"run":{"path":"/home/someone",`},
	}) {
		t.Run(name, func(t *testing.T) {
			altered := bytes.Replace(line, []byte(change[0]), []byte(change[1]), 1)
			if bytes.Equal(altered, line) {
				t.Fatalf("the certificate has no %s", change[0])
			}
			if err := validate(t, schema, altered); err == nil {
				t.Error("it passes")
			}
		})
	}
}
