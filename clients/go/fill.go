package execsvc

import (
	"math"
	"math/big"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

// refuseUnknown notes each key that is neither known nor to be ignored.
func refuseUnknown(source map[string]any, path string, known []string, ignored map[string]bool, problems *problems) {
	for _, key := range sortedKeys(source) {
		if !slices.Contains(known, key) && !ignored[key] {
			var shown []string
			for _, name := range known {
				if strings.ToLower(name) == name {
					shown = append(shown, name)
				}
			}
			problems.add(member(path, key), "UNKNOWN_FIELD", "unknown field; known are %s", strings.Join(shown, ", "))
		}
	}
}

// fieldNames returns the names of a message's fields in both spellings, on_error and onError.
func fieldNames(descriptor protoreflect.MessageDescriptor) []string {
	var names []string
	for at := range descriptor.Fields().Len() {
		field := descriptor.Fields().Get(at)
		names = append(names, string(field.Name()))
		if field.JSONName() != string(field.Name()) {
			names = append(names, field.JSONName())
		}
	}
	return names
}

// fieldNamed finds a field by either spelling; nil where there is none.
func fieldNamed(descriptor protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if field := descriptor.Fields().ByName(protoreflect.Name(name)); field != nil {
		return field
	}
	return descriptor.Fields().ByJSONName(name)
}

// fillMessage writes an object into a message by its descriptor; nil counts as not given.
func fillMessage(message protoreflect.Message, source map[string]any, path string, problems *problems) {
	refuseUnknown(source, path, fieldNames(message.Descriptor()), nil, problems)
	for _, key := range sortedKeys(source) {
		if field := fieldNamed(message.Descriptor(), key); field != nil && source[key] != nil {
			fillField(message, field, source[key], member(path, key), problems)
		}
	}
}

// fillField writes one value into one field of any type that definitions use.
func fillField(
	message protoreflect.Message, field protoreflect.FieldDescriptor, value any, path string, problems *problems,
) {
	value, ok := simplify(value, path, problems)
	if !ok || value == nil {
		return
	}
	switch {
	case field.IsMap():
		fillMap(message.Mutable(field).Map(), value, path, problems)
	case field.IsList():
		items, isList := value.([]any)
		if !isList {
			problems.wrongType(path, "a list", value)
			return
		}
		list := message.Mutable(field).List()
		for at, item := range items {
			fillItem(list, field, item, index(path, at), problems)
		}
	case field.Message() != nil:
		if filled := toMessage(message.NewField(field).Message(), value, path, problems); filled != nil {
			message.Set(field, protoreflect.ValueOfMessage(filled))
		}
	default:
		if scalar := toScalar(field, value, path, problems); scalar.IsValid() {
			message.Set(field, scalar)
		}
	}
}

func fillItem(list protoreflect.List, field protoreflect.FieldDescriptor, item any, path string, problems *problems) {
	item, ok := simplify(item, path, problems)
	if !ok {
		return
	}
	if field.Message() == nil {
		if scalar := toScalar(field, item, path, problems); scalar.IsValid() {
			list.Append(scalar)
		}
	} else if filled := toMessage(list.NewElement().Message(), item, path, problems); filled != nil {
		list.Append(protoreflect.ValueOfMessage(filled))
	}
}

// fillMap takes an object of texts: the only maps of the API are from text to text.
func fillMap(target protoreflect.Map, value any, path string, problems *problems) {
	object, isObject := value.(map[string]any)
	if !isObject {
		problems.wrongType(path, "an object", value)
		return
	}
	for _, key := range sortedKeys(object) {
		item, ok := simplify(object[key], member(path, key), problems)
		text, isText := item.(string)
		if ok && !isText {
			problems.wrongType(member(path, key), "a string", item)
		} else if ok && checkText(key, path, problems) && checkText(text, member(path, key), problems) {
			target.Set(protoreflect.ValueOfString(key).MapKey(), protoreflect.ValueOfString(text))
		}
	}
}

// toMessage fills a new message; nil where the value has the wrong type.
func toMessage(target protoreflect.Message, value any, path string, problems *problems) protoreflect.Message {
	name := target.Descriptor().FullName()
	if message, isMessage := value.(proto.Message); isMessage && message.ProtoReflect().Descriptor().FullName() == name {
		return message.ProtoReflect()
	}
	switch target.Interface().(type) {
	case *structpb.Value:
		return valid(toValue(value, path, problems, 0))
	case *durationpb.Duration:
		return valid(toDuration(value, path, problems))
	}
	object, isObject := value.(map[string]any)
	if !isObject {
		problems.wrongType(path, "an object", value)
		return nil
	}
	if _, isStruct := target.Interface().(*structpb.Struct); isStruct {
		return valid(toStruct(object, path, problems, 0))
	}
	fillMessage(target, object, path, problems)
	return target
}

// valid returns nil for a message that could not be made.
func valid(message proto.Message) protoreflect.Message {
	if found := message.ProtoReflect(); found.IsValid() {
		return found
	}
	return nil
}

// toScalar returns an invalid value where there is a problem.
func toScalar(field protoreflect.FieldDescriptor, value any, path string, problems *problems) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.StringKind:
		text, isText := value.(string)
		if !isText {
			problems.wrongType(path, "a string", value)
		} else if checkText(text, path, problems) {
			return protoreflect.ValueOfString(text)
		}
	case protoreflect.BoolKind:
		truth, isBool := value.(bool)
		if isBool {
			return protoreflect.ValueOfBool(truth)
		}
		problems.wrongType(path, "a boolean", value)
	case protoreflect.EnumKind:
		return toEnum(field.Enum(), value, path, problems)
	default:
		number, whole := readNumber(value)
		if math.IsNaN(number) {
			if _, isFloat := value.(float64); !isFloat {
				problems.wrongType(path, "a number", value)
				return protoreflect.Value{}
			}
		}
		return toNumeric(field.Kind(), number, whole, path, problems)
	}
	return protoreflect.Value{}
}

func toNumeric(
	kind protoreflect.Kind, number float64, whole *big.Int, path string, problems *problems,
) protoreflect.Value {
	if kind == protoreflect.DoubleKind {
		if !math.IsInf(number, 0) && !math.IsNaN(number) {
			return protoreflect.ValueOfFloat64(number)
		}
		problems.add(path, "NOT_FINITE", "expected a finite number")
		return protoreflect.Value{}
	}
	if whole == nil && number == math.Trunc(number) && !math.IsInf(number, 0) {
		whole, _ = big.NewFloat(number).Int(nil)
	}
	bits := 64
	if kind == protoreflect.Int32Kind {
		bits = 32
	}
	if whole == nil || !whole.IsInt64() || bits == 32 && whole.Int64() != int64(int32(whole.Int64())) {
		problems.add(path, "OUT_OF_RANGE", "expected a whole number that fits %d bits", bits)
		return protoreflect.Value{}
	}
	if bits == 32 {
		return protoreflect.ValueOfInt32(int32(whole.Int64()))
	}
	return protoreflect.ValueOfInt64(whole.Int64())
}

// toEnum takes a number, or a name with or without the enum's prefix, in any case.
func toEnum(enum protoreflect.EnumDescriptor, value any, path string, problems *problems) protoreflect.Value {
	values := enum.Values()
	prefix := strings.TrimSuffix(string(values.Get(0).Name()), "UNSPECIFIED")
	if _, whole := readNumber(value); whole != nil && whole.IsInt64() {
		if found := values.ByNumber(protoreflect.EnumNumber(whole.Int64())); found != nil {
			return protoreflect.ValueOfEnum(found.Number())
		}
	}
	if text, isText := value.(string); isText {
		name := strings.ToUpper(text)
		for _, spelling := range []string{name, prefix + name} {
			if found := values.ByName(protoreflect.Name(spelling)); found != nil {
				return protoreflect.ValueOfEnum(found.Number())
			}
		}
	}
	var allowed []string
	for at := 1; at < values.Len(); at++ {
		allowed = append(allowed, strings.ToLower(strings.TrimPrefix(string(values.Get(at).Name()), prefix)))
	}
	problems.add(path, "UNKNOWN_VALUE", "expected one of %s, got %q", strings.Join(allowed, ", "), short(value))
	return protoreflect.Value{}
}

// maxSeconds is what google.protobuf.Duration can hold, about 10,000 years.
const maxSeconds = 315_576_000_000

// toDuration takes seconds as a number, a time.Duration, or text such as "1.5s" or "200ms".
func toDuration(value any, path string, problems *problems) *durationpb.Duration {
	nanos := nanoseconds(value)
	if nanos == nil {
		problems.add(path, "INVALID_DURATION",
			`expected seconds (1.5), a time.Duration or text like "1.5s", "200ms", "2m" or "1h", got %q`, short(value))
		return nil
	}
	seconds, rest := new(big.Int).QuoRem(nanos, big.NewInt(int64(time.Second)), new(big.Int))
	if !seconds.IsInt64() || max(seconds.Int64(), -seconds.Int64()) > maxSeconds {
		problems.add(path, "INVALID_DURATION", "at most %d seconds fit, got %q", maxSeconds, short(value))
		return nil
	}
	return &durationpb.Duration{Seconds: seconds.Int64(), Nanos: int32(rest.Int64())}
}
