package matrix

import (
	"encoding/json"
	"fmt"
)

// schemaText is docs/zoo.schema.json: the JSON schema (draft 2020-12) of zoo.yaml, made from the
// table that the parser follows. Only the parser checks what depends on several keys or on files.
func schemaText() ([]byte, error) {
	root := objectSchema(zooFields())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "zoo.yaml of ucan"
	root["description"] = "a matrix of models, data sources and noise settings to certify"
	text, err := json.MarshalIndent(root, "", "  ") // maps are written with sorted keys
	if err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	return append(text, '\n'), nil
}

func objectSchema(fields []field) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, f := range fields {
		s := valueSchema(f)
		s["description"] = f.doc
		if f.def != nil {
			s["default"] = f.def
		}
		properties[f.name] = s
		if f.required {
			required = append(required, f.name)
		}
	}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func valueSchema(f field) map[string]any {
	number := func(kind string) map[string]any {
		s := map[string]any{"type": kind}
		for name, bound := range map[string]*float64{"minimum": f.low, "exclusiveMinimum": f.above, "maximum": f.high} {
			if bound != nil {
				s[name] = *bound
			}
		}
		return s
	}
	text := map[string]any{"type": "string", "minLength": 1}
	either := func(one map[string]any) map[string]any {
		return map[string]any{"oneOf": []any{one, map[string]any{"type": "array", "items": one, "minItems": 1}}}
	}
	switch f.kind {
	case kindText:
		return text
	case kindTexts:
		return either(text)
	case kindNumber:
		return number("number")
	case kindNumbers:
		return either(number("number"))
	case kindWhole:
		return number("integer")
	case kindSeed:
		return map[string]any{"type": "integer", "minimum": 0}
	case kindBool:
		return map[string]any{"type": "boolean"}
	case kindChoice:
		choices := []any{}
		for _, v := range f.values {
			choices = append(choices, v)
			if v == "off" { // a bare off is a boolean to many readers of YAML
				choices = append(choices, false)
			}
		}
		return map[string]any{"enum": choices}
	case kindObject:
		return objectSchema(f.fields)
	case kindObjects:
		s := map[string]any{"type": "array", "items": objectSchema(f.fields)}
		if f.required {
			s["minItems"] = 1
		}
		return s
	case kindNumberOf:
		return map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "number"}}
	case kindTextOf:
		return map[string]any{"type": "object", "additionalProperties": map[string]any{"type": []any{"string", "number", "boolean"}}}
	case kindProviders:
		one := map[string]any{"oneOf": []any{text, map[string]any{
			"type": "object", "minProperties": 1, "maxProperties": 1,
			"additionalProperties": map[string]any{"type": []any{"object", "null"}},
		}}}
		return either(one)
	case kindBytes, kindSpan:
		return map[string]any{"type": []any{"number", "string"}}
	}
	return map[string]any{}
}
