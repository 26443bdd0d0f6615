package execsvc

import (
	"encoding"
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	// maxDepth is how many levels of lists and objects a value may have. protobuf parsers stop at 100 nested messages,
	// and a level costs three.
	maxDepth = 30
	// maxExactInt: doubles are exact up to here, so whole numbers up to here are answered as int64.
	maxExactInt = 1 << 53
)

// simplify turns any Go value, one level deep, into what JSON knows: nil, bool, string, int64, uint64, float64,
// json.Number, map[string]any or []any; a time.Duration and protobuf messages stay what they are. Structs and types with
// a JSON form of their own take that form, as encoding/json writes it.
func simplify(value any, path string, problems *problems) (any, bool) {
	switch value := value.(type) {
	case map[string]any:
		if value == nil {
			return nil, true
		}
		return value, true
	case []any:
		if value == nil {
			return nil, true
		}
		return value, true
	case nil, bool, string, int64, uint64, float64, json.Number, time.Duration, proto.Message:
		return value, true
	case json.RawMessage:
		return parseJSON(value, path, problems)
	case json.Marshaler, encoding.TextMarshaler, []byte:
		return throughJSON(value, path, problems)
	}
	found := reflect.ValueOf(value)
	switch found.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if found.IsNil() {
			return nil, true
		}
	}
	switch found.Kind() {
	case reflect.Bool:
		return found.Bool(), true
	case reflect.String:
		return found.String(), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return found.Int(), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return found.Uint(), true
	case reflect.Float32, reflect.Float64:
		return found.Float(), true
	case reflect.Pointer:
		return simplify(found.Elem().Interface(), path, problems)
	case reflect.Map:
		if found.Type().Key().Kind() == reflect.String {
			object := make(map[string]any, found.Len())
			for entry := found.MapRange(); entry.Next(); {
				object[entry.Key().String()] = entry.Value().Interface()
			}
			return object, true
		}
	case reflect.Slice, reflect.Array:
		list := make([]any, found.Len())
		for at := range list {
			list[at] = found.Index(at).Interface()
		}
		return list, true
	case reflect.Struct:
		return throughJSON(value, path, problems)
	}
	problems.wrongType(path, "a JSON value (null, boolean, number, string, list or object)", value)
	return nil, false
}

func throughJSON(value any, path string, problems *problems) (any, bool) {
	text, err := json.Marshal(value)
	if err != nil {
		problems.add(path, "NOT_JSON", "%v", err)
		return nil, false
	}
	return parseJSON(text, path, problems)
}

// toValue returns a Go value as protobuf. Numbers become doubles on the wire, so an integer that a double cannot hold
// exactly is a problem, not a silent change; so are NaN, the infinities and text that is not UTF-8.
func toValue(value any, path string, problems *problems, depth int) *structpb.Value {
	value, ok := simplify(value, path, problems)
	if !ok {
		return nil
	}
	switch value := value.(type) {
	case nil:
		return structpb.NewNullValue()
	case bool:
		return structpb.NewBoolValue(value)
	case string:
		checkText(value, path, problems)
		return structpb.NewStringValue(value)
	case map[string]any:
		return structpb.NewStructValue(toStruct(value, path, problems, depth))
	case []any:
		return structpb.NewListValue(toList(value, path, problems, depth))
	case *structpb.Value:
		return value
	case *structpb.Struct:
		return structpb.NewStructValue(value)
	case *structpb.ListValue:
		return structpb.NewListValue(value)
	case time.Duration:
		return toNumber(int64(value), path, problems)
	case proto.Message:
		problems.wrongType(path, "a JSON value (null, boolean, number, string, list or object)", value)
		return nil
	default:
		return toNumber(value, path, problems)
	}
}

func toStruct(object map[string]any, path string, problems *problems, depth int) *structpb.Struct {
	if tooDeep(path, problems, depth) {
		return nil
	}
	fields := make(map[string]*structpb.Value, len(object))
	for _, key := range sortedKeys(object) {
		if checkText(key, path, problems) {
			fields[key] = toValue(object[key], member(path, key), problems, depth+1)
		}
	}
	return &structpb.Struct{Fields: fields}
}

func toList(list []any, path string, problems *problems, depth int) *structpb.ListValue {
	if tooDeep(path, problems, depth) {
		return nil
	}
	values := make([]*structpb.Value, len(list))
	for at, item := range list {
		values[at] = toValue(item, index(path, at), problems, depth+1)
	}
	return &structpb.ListValue{Values: values}
}

func index(path string, at int) string { return path + "[" + strconv.Itoa(at) + "]" }

func tooDeep(path string, problems *problems, depth int) bool {
	if depth < maxDepth {
		return false
	}
	problems.add(path, "TOO_DEEP", "lists and objects may be nested %d levels deep at most", maxDepth)
	return true
}

// checkText tells whether text can be sent; protobuf takes UTF-8 only.
func checkText(text, path string, problems *problems) bool {
	if utf8.ValidString(text) {
		return true
	}
	problems.add(path, "INVALID_UNICODE", "the text is not valid UTF-8")
	return false
}

// toNumber takes int64, uint64, float64 and json.Number.
func toNumber(value any, path string, problems *problems) *structpb.Value {
	number, whole := readNumber(value)
	if whole != nil && (math.IsInf(number, 0) || !isExactly(number, whole)) {
		problems.add(path, "INEXACT_INTEGER", "%s does not fit a double exactly; send it as a string", short(whole))
	} else if math.IsInf(number, 0) || math.IsNaN(number) {
		problems.add(path, "NOT_FINITE", "JSON has no %v; send null or a string", number)
	}
	return structpb.NewNumberValue(number)
}

// readNumber returns a number as a double, and exactly if it was written as an integer.
func readNumber(value any) (number float64, whole *big.Int) {
	switch value := value.(type) {
	case int64:
		return float64(value), big.NewInt(value)
	case uint64:
		return float64(value), new(big.Int).SetUint64(value)
	case float64:
		return value, nil
	case json.Number:
		// Beyond the range of doubles this is an infinity.
		number, _ = strconv.ParseFloat(string(value), 64)
		// A double has no more than 309 digits before the point, and reading more takes long.
		if !strings.ContainsAny(string(value), ".eE") && len(value) < 400 {
			whole, _ = new(big.Int).SetString(string(value), 10)
		}
		return number, whole
	}
	return math.NaN(), nil
}

func isExactly(number float64, whole *big.Int) bool {
	exact, accuracy := big.NewFloat(number).Int(nil)
	return accuracy == big.Exact && exact.Cmp(whole) == 0
}

// plainValue returns a protobuf value as plain Go: nil, bool, string, float64, int64 for whole numbers up to 2^53 as on
// the server, map[string]any or []any.
func plainValue(value *structpb.Value) any {
	switch kind := value.GetKind().(type) {
	case *structpb.Value_NumberValue:
		number := kind.NumberValue
		if number == math.Trunc(number) && math.Abs(number) <= maxExactInt {
			return int64(number)
		}
		return number
	case *structpb.Value_StringValue:
		return kind.StringValue
	case *structpb.Value_BoolValue:
		return kind.BoolValue
	case *structpb.Value_StructValue:
		return plainStruct(kind.StructValue)
	case *structpb.Value_ListValue:
		list := make([]any, len(kind.ListValue.GetValues()))
		for at, item := range kind.ListValue.GetValues() {
			list[at] = plainValue(item)
		}
		return list
	}
	return nil
}

func plainStruct(object *structpb.Struct) map[string]any {
	plain := make(map[string]any, len(object.GetFields()))
	for key, value := range object.GetFields() {
		plain[key] = plainValue(value)
	}
	return plain
}
