package execsvc

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/execsvc/execsvc/clients/go/execsvcv1"
)

// full uses every field of the JSON form; what excludes another stands in a node of its own.
const full = `{
  "nodes": [
    {"id": "in", "type": "input", "config": {"schema": {"type": "object"}, "defaults": {"n": 3}}},
    {"id": "ask", "name": "Ask", "type": "llm",
     "config": {"model": "echo:", "messages": [{"role": "user", "content": "{{input.text}}"}], "system": "short",
                "parameters": {"temperature": 0.5, "stop": ["x"]}, "response_schema": {"type": "object"},
                "base_url": "http://localhost:1/v1", "api_key": "secret:KEY", "headers": {"X-Team": "a"}, "prompt": "x"},
     "retry": {"max_attempts": 3, "initialBackoff": 0.5, "multiplier": 2, "max_backoff": "1.5s", "non_retryable": ["A"]},
     "timeout": "1m",
     "on_error": {"action": "continue", "fallback": {"a": [null]}}},
    {"id": "which", "type": "condition",
     "config": {"cases": [{"branch": "a", "expression": "true"}], "default_branch": "b", "expression": "c"}},
    {"id": "sum", "type": "transform", "config": {"fields": {"x": "1"}, "expression": "1"}},
    {"id": "out", "type": "output", "config": {"expression": "1"}},
    {"id": "call", "type": "http",
     "config": {"method": "POST", "url": "https://api.example/{{input.id}}", "query": {"q": "{{input.q}}"},
                "headers": {"X-Team": "a"}, "json": "input", "form": {"f": "1"}, "body": "x",
                "expectedStatus": ["2xx", "409"], "max_redirects": 2, "response_format": "json"}},
    {"id": "own", "type": "acme.score", "config": {"limit": 3}}
  ],
  "edges": [{"source": "which", "target": "sum", "branch": "a"}]
}`

func object(t *testing.T, value map[string]any) *structpb.Struct {
	t.Helper()
	found, err := structpb.NewStruct(value)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func fullMessage(t *testing.T) *execsvcv1.WorkflowDefinition {
	kind := object(t, map[string]any{"type": "object"})
	return &execsvcv1.WorkflowDefinition{
		Nodes: []*execsvcv1.Node{
			{Id: "in", Config: &execsvcv1.Node_Input{Input: &execsvcv1.InputNode{
				Schema: kind, Defaults: object(t, map[string]any{"n": 3}),
			}}},
			{Id: "ask", Name: "Ask", Config: &execsvcv1.Node_Llm{Llm: &execsvcv1.LlmNode{
				Model: "echo:", Messages: []*execsvcv1.LlmMessage{{Role: "user", Content: "{{input.text}}"}}, System: "short",
				Parameters:     object(t, map[string]any{"temperature": 0.5, "stop": []any{"x"}}),
				ResponseSchema: kind, BaseUrl: "http://localhost:1/v1", Prompt: "x",
				ApiKey: "secret:KEY", Headers: map[string]string{"X-Team": "a"},
			}}, Retry: &execsvcv1.RetryPolicy{
				MaxAttempts: 3, InitialBackoff: durationpb.New(500 * time.Millisecond), Multiplier: 2,
				MaxBackoff: durationpb.New(1500 * time.Millisecond), NonRetryable: []string{"A"},
			}, Timeout: durationpb.New(time.Minute), OnError: &execsvcv1.OnError{
				Action:   execsvcv1.OnError_ACTION_CONTINUE,
				Fallback: structpb.NewStructValue(object(t, map[string]any{"a": []any{nil}})),
			}},
			{Id: "which", Config: &execsvcv1.Node_Condition{Condition: &execsvcv1.ConditionNode{
				Cases: []*execsvcv1.ConditionCase{{Branch: "a", Expression: "true"}}, DefaultBranch: "b", Expression: "c",
			}}},
			{Id: "sum", Config: &execsvcv1.Node_Transform{Transform: &execsvcv1.TransformNode{
				Fields: map[string]string{"x": "1"}, Expression: "1",
			}}},
			{Id: "out", Config: &execsvcv1.Node_Output{Output: &execsvcv1.OutputNode{Expression: "1"}}},
			{Id: "call", Config: &execsvcv1.Node_Http{Http: &execsvcv1.HttpNode{
				Method: "POST", Url: "https://api.example/{{input.id}}", Query: map[string]string{"q": "{{input.q}}"},
				Headers: map[string]string{"X-Team": "a"}, Json: "input", Form: map[string]string{"f": "1"}, Body: "x",
				ExpectedStatus: []string{"2xx", "409"}, MaxRedirects: 2, ResponseFormat: "json",
			}}},
			{Id: "own", Config: &execsvcv1.Node_Custom{Custom: &execsvcv1.CustomNode{
				Type: "acme.score", Config: object(t, map[string]any{"limit": 3}),
			}}},
		},
		Edges: []*execsvcv1.Edge{{Source: "which", Target: "sum", Branch: "a"}},
	}
}

func read(t *testing.T, definition Definition) *execsvcv1.WorkflowDefinition {
	t.Helper()
	message, err := definition.Message()
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func TestEveryFieldOfTheJSONFormIsReadInEveryForm(t *testing.T) {
	want := fullMessage(t)
	var tree map[string]any
	if err := json.Unmarshal([]byte(full), &tree); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "workflow.json")
	if err := os.WriteFile(file, []byte("\uFEFF"+full), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, definition := range map[string]Definition{
		"text": DefinitionJSON(full), "bytes": DefinitionJSON([]byte(full)), "values": DefinitionOf(tree),
		"file": DefinitionFile(file), "message": DefinitionMessage(want), "raw": DefinitionOf(json.RawMessage(full)),
	} {
		if got := read(t, definition); !proto.Equal(got, want) {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// A field added to the API must be added above, or nothing shows that it is read.
func TestTheExampleAboveUsesEveryFieldThereIs(t *testing.T) {
	used := map[protoreflect.FullName]bool{}
	var walk func(message protoreflect.Message)
	walk = func(message protoreflect.Message) {
		message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
			used[field.FullName()] = true
			switch {
			case field.Message() == nil || field.IsMap() || field.Message().ParentFile().Package() != "execsvc.v1":
			case field.IsList():
				for at := range value.List().Len() {
					walk(value.List().Get(at).Message())
				}
			default:
				walk(value.Message())
			}
			return true
		})
	}
	walk(fullMessage(t).ProtoReflect())
	messages := nodeMessage.ParentFile().Messages()
	for at := range messages.Len() {
		fields := messages.Get(at).Fields()
		for field := range fields.Len() {
			if name := fields.Get(field).FullName(); !used[name] {
				t.Errorf("%s is not in the example", name)
			}
		}
	}
}

func TestExportsOfReactFlowAreRead(t *testing.T) {
	got := read(t, DefinitionJSON(`{
		"viewport": {"zoom": 1},
		"nodes": [
			{"id": "if", "type": "condition", "position": {"x": 1}, "data": {"label": "Large?", "expression": "true", "timeout": 2}},
			{"id": "own", "type": "acme.score", "selected": true, "data": {"label": "Score", "limit": 3}}
		],
		"edges": [{"id": "e", "source": "if", "target": "own", "sourceHandle": "true", "animated": true}]
	}`))
	want := &execsvcv1.WorkflowDefinition{
		Nodes: []*execsvcv1.Node{
			{Id: "if", Name: "Large?", Timeout: durationpb.New(2 * time.Second), Config: &execsvcv1.Node_Condition{
				Condition: &execsvcv1.ConditionNode{Expression: "true"},
			}},
			{Id: "own", Name: "Score", Config: &execsvcv1.Node_Custom{Custom: &execsvcv1.CustomNode{
				Type: "acme.score", Config: object(t, map[string]any{"limit": 3}),
			}}},
		},
		Edges: []*execsvcv1.Edge{{Source: "if", Target: "own", Branch: "true"}},
	}
	if !proto.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestEveryProblemIsReportedAtOnceWithItsPath(t *testing.T) {
	cases := []struct {
		text string
		want map[string]string
	}{
		{`{"nodes": [{"id": 7, "type": "output"}, {"type": "transform", "config": {"expresion": "1"}}, 3],
		   "edges": [{"source": "a", "colour": "red"}], "extra": 1}`, map[string]string{
			"definition.extra": "UNKNOWN_FIELD", "definition.nodes[0].id": "WRONG_TYPE",
			"definition.nodes[1].config.expresion": "UNKNOWN_FIELD", "definition.nodes[2]": "WRONG_TYPE",
			"definition.edges[0].colour": "UNKNOWN_FIELD",
		}},
		{`{"nodes": [{"id": "a"}]}`, map[string]string{"definition.nodes[0].type": "REQUIRED"}},
		{`{"nodes": [{"id": "a", "type": "output", "config": {}, "data": {}}]}`,
			map[string]string{"definition.nodes[0].data": "CONFLICT"}},
		{`{"nodes": [{"id": "a", "type": "output", "timeout": "soon", "retry": {"max_attempts": 1.5}}]}`, map[string]string{
			"definition.nodes[0].timeout": "INVALID_DURATION", "definition.nodes[0].retry.max_attempts": "OUT_OF_RANGE",
		}},
		{`{"nodes": [{"id": "a", "type": "output", "on_error": {"action": "explode"}}]}`,
			map[string]string{"definition.nodes[0].on_error.action": "UNKNOWN_VALUE"}},
		{`{"nodes": [{"id": "a", "type": "input", "config": {"defaults": {"n": 9007199254740993}}}]}`,
			map[string]string{"definition.nodes[0].config.defaults.n": "INEXACT_INTEGER"}},
		{`{"nodes": [{"id": "a", "type": "transform", "config": {"fields": {"x": 1}}}]}`,
			map[string]string{"definition.nodes[0].config.fields.x": "WRONG_TYPE"}},
		{`{"nodes": [], "edges": [{"source": "a", "target": "b", "branch": "x", "sourceHandle": "y"}]}`,
			map[string]string{"definition.edges[0].sourceHandle": "CONFLICT"}},
		{"{\n  \"nodes\": [,]}", map[string]string{"definition:2:13": "INVALID_JSON"}},
		{`{"nodes": [`, map[string]string{"definition:1:12": "INVALID_JSON"}},
		{`{} {}`, map[string]string{"definition:1:4": "INVALID_JSON"}},
		{``, map[string]string{"definition:1:1": "INVALID_JSON"}},
		{"{\n\"a\xff\"}", map[string]string{"definition:2": "INVALID_UNICODE"}},
		{`{"nodes": [{"id": "\ud83e\udd8a \\ud83e \ud83e", "type": "output"}]}`, map[string]string{"definition:1:41": "INVALID_UNICODE"}},
		{strings.Repeat("[", 20_000), map[string]string{"definition": "TOO_DEEP"}},
		{`[]`, map[string]string{"definition": "WRONG_TYPE"}},
	}
	for _, c := range cases {
		_, err := DefinitionJSON(c.text).Message()
		var found *Error
		if !errors.As(err, &found) || !errors.Is(err, ErrDefinition) || !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("%.60s: got %v", c.text, err)
			continue
		}
		got := reasons(found.FieldViolations)
		for path, reason := range c.want {
			if got[path] != reason {
				t.Errorf("%.60s: want %s at %s, got %v", c.text, reason, path, got)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%.60s: got %v", c.text, got)
		}
	}
}

func TestAFileThatIsNotThereIsTheFileSystemsError(t *testing.T) {
	_, err := DefinitionFile(filepath.Join(t.TempDir(), "none.json")).Message()
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestDurationsAreReadInEveryForm(t *testing.T) {
	for given, want := range map[any]time.Duration{
		"1.5s": 1500 * time.Millisecond, "200ms": 200 * time.Millisecond, "2m": 2 * time.Minute, "1h": time.Hour,
		"10us": 10 * time.Microsecond, 1.5: 1500 * time.Millisecond, int64(2): 2 * time.Second, -0.5: -500 * time.Millisecond,
		json.Number("0.1"): 100 * time.Millisecond, 3 * time.Second: 3 * time.Second,
	} {
		problems := &problems{}
		if got := toDuration(given, "t", problems); got.AsDuration() != want || problems.found != nil {
			t.Errorf("%v: got %v, %v", given, got, problems.found)
		}
	}
	for _, given := range []any{"soon", "", "1d", "1.5.5s", true, 1e300, "99999999999999999999h", json.Number("1e400")} {
		problems := &problems{}
		if toDuration(given, "t", problems); reasons(problems.found)["t"] != "INVALID_DURATION" {
			t.Errorf("%v: got %v", given, problems.found)
		}
	}
}
