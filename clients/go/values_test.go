package execsvc

import (
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
)

// sent returns what a Go value is once it went out and came back, and the reasons it was refused for by path.
func sent(value any) (any, map[string]string) {
	problems := &problems{}
	message := toValue(value, "v", problems, 0)
	if len(problems.found) > 0 {
		return nil, reasons(problems.found)
	}
	return plainValue(message), nil
}

func reasons(found []Problem) map[string]string {
	byPath := map[string]string{}
	for _, problem := range found {
		byPath[problem.Path] = problem.Reason
	}
	return byPath
}

type ticket struct {
	Text string         `json:"text"`
	N    int            `json:"n,omitempty"`
	More map[string]any `json:"more,omitempty"`
}

func TestValuesComeBackAsJSONMeansThem(t *testing.T) {
	whole, _ := new(big.Int).SetString("9007199254740992", 10)
	cases := []struct{ given, want any }{
		{nil, nil}, {true, true}, {"ü🦊", "ü🦊"}, {3, int64(3)}, {int8(-3), int64(-3)}, {uint64(3), int64(3)}, {3.0, int64(3)},
		{float32(1.5), 1.5}, {json.Number("3.0"), int64(3)}, {json.Number("1e3"), int64(1000)}, {-0.25, -0.25},
		{int64(maxExactInt), int64(maxExactInt)}, {whole, int64(maxExactInt)}, {1e300, 1e300}, {1 << 60, float64(1 << 60)},
		{[]int{1, 2}, []any{int64(1), int64(2)}}, {[]any{}, []any{}}, {map[string]any{}, map[string]any{}},
		{map[string]string{"a": "b"}, map[string]any{"a": "b"}}, {[]string(nil), nil}, {map[string]int(nil), nil},
		{ticket{Text: "a", N: 2}, map[string]any{"text": "a", "n": int64(2)}}, {&ticket{Text: "<a>"}, map[string]any{"text": "<a>"}},
		{(*ticket)(nil), nil}, {json.RawMessage(`[1, 2.5, {"a": null}]`), []any{int64(1), 2.5, map[string]any{"a": nil}}},
		{time.Unix(0, 0).UTC(), "1970-01-01T00:00:00Z"}, {structpb.NewStringValue("x"), "x"}, {State("FAILED"), "FAILED"},
	}
	for _, c := range cases {
		got, refused := sent(c.given)
		if refused != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%#v: got %#v %v, want %#v", c.given, got, refused, c.want)
		}
	}
}

func TestWhatCannotBeSentIsRefusedWithItsPath(t *testing.T) {
	deep := any("bottom")
	for range maxDepth + 1 {
		deep = []any{deep}
	}
	huge := new(big.Int).Lsh(big.NewInt(1), 5000)
	cases := []struct {
		given        any
		path, reason string
	}{
		{map[string]any{"a": []any{int64(maxExactInt + 1)}}, "v.a[0]", "INEXACT_INTEGER"},
		{uint64(math.MaxUint64), "v", "INEXACT_INTEGER"},
		{json.Number("9007199254740993"), "v", "INEXACT_INTEGER"},
		{huge, "v", "NOT_FINITE"},
		{ticket{More: map[string]any{"n": int64(maxExactInt + 1)}}, "v.more.n", "INEXACT_INTEGER"},
		{math.NaN(), "v", "NOT_FINITE"},
		{math.Inf(-1), "v", "NOT_FINITE"},
		{[]string{"fine", "\xff"}, "v[1]", "INVALID_UNICODE"},
		{map[string]any{"\xff": 1}, "v", "INVALID_UNICODE"},
		{json.RawMessage(`"\ud83e"`), "v:1:2", "INVALID_UNICODE"},
		{map[int]int{1: 1}, "v", "WRONG_TYPE"},
		{func() {}, "v", "WRONG_TYPE"},
		{struct{ C chan int }{}, "v", "NOT_JSON"},
		{deep, "v" + strings.Repeat("[0]", maxDepth), "TOO_DEEP"},
	}
	for _, c := range cases {
		if _, refused := sent(c.given); refused[c.path] != c.reason || len(refused) != 1 {
			t.Errorf("%.80v: got %v, want %s at %s", c.given, refused, c.reason, c.path)
		}
	}
}

func TestAnInputMustBeAnObject(t *testing.T) {
	for _, value := range []any{[]int{1}, "text", 7} {
		problems := &problems{}
		if toInput(value, "input", problems); reasons(problems.found)["input"] != "WRONG_TYPE" {
			t.Errorf("%v: got %v", value, problems.found)
		}
	}
	problems := &problems{}
	if found := toInput(ticket{Text: "a"}, "input", problems); found.Fields["text"].GetStringValue() != "a" || problems.found != nil {
		t.Errorf("got %v, %v", found, problems.found)
	}
}

func TestAnOutputIsDecodedIntoTypesOfTheUsersOwn(t *testing.T) {
	problems := &problems{}
	value := toValue(map[string]any{"text": "a & <b>", "n": 7}, "", problems, 0)
	var found ticket
	if err := decode(value, &found); err != nil || found.Text != "a & <b>" || found.N != 7 {
		t.Errorf("got %+v, %v", found, err)
	}
	var wrong []int
	if err := decode(value, &wrong); err == nil {
		t.Error("an object was decoded into a list")
	}
}
