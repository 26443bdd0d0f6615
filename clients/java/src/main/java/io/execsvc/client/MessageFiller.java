package io.execsvc.client;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;

/** Writes plain values into messages by their descriptors, noting every problem with its path. */
final class MessageFiller {
  private static final Map<Descriptor, Map<String, FieldDescriptor>> NAMES =
      new ConcurrentHashMap<>();

  private MessageFiller() {}

  /**
   * Returns a request with these fields; null counts as not given.
   *
   * @throws InvalidArgumentException with every problem
   */
  @SuppressWarnings("unchecked")
  static <M extends Message> M request(M.Builder builder, Map<String, ?> fields) {
    Problems problems = new Problems();
    fill(builder, fields, "", problems);
    problems.throwInvalidRequest();
    return (M) builder.build();
  }

  /** Returns the fields of a message by both spellings, {@code on_error} and {@code onError}. */
  static Map<String, FieldDescriptor> namesOf(Descriptor descriptor) {
    return NAMES.computeIfAbsent(
        descriptor,
        type -> {
          Map<String, FieldDescriptor> names = new LinkedHashMap<>();
          type.getFields().forEach(field -> names.put(field.getName(), field));
          type.getFields().forEach(field -> names.put(field.getJsonName(), field));
          return names;
        });
  }

  /** Notes each key that is neither known nor to be ignored. */
  static void refuseUnknown(
      Map<?, ?> source,
      String path,
      Collection<String> known,
      Set<String> ignored,
      Problems problems) {
    for (Object key : source.keySet()) {
      if (!(key instanceof String name) || !(known.contains(name) || ignored.contains(name))) {
        String shown =
            known.stream()
                .filter(field -> field.equals(field.toLowerCase(Locale.ROOT)))
                .collect(Collectors.joining(", "));
        problems.add(
            Problems.member(path, key), "UNKNOWN_FIELD", "unknown field; known are " + shown);
      }
    }
  }

  static void fill(Message.Builder target, Map<?, ?> source, String path, Problems problems) {
    Map<String, FieldDescriptor> names = namesOf(target.getDescriptorForType());
    refuseUnknown(source, path, names.keySet(), Set.of(), problems);
    source.forEach(
        (key, value) -> {
          FieldDescriptor field = key instanceof String name ? names.get(name) : null;
          if (field != null && value != null) {
            fillField(target, field, value, Problems.member(path, key), problems);
          }
        });
  }

  /** Writes one value into one field of any type that the API uses. */
  static void fillField(
      Message.Builder target, FieldDescriptor field, Object value, String path, Problems problems) {
    Object filled;
    if (field.isMapField()) {
      filled = mapEntries(target, field, value, path, problems);
    } else if (field.isRepeated()) {
      filled = items(target, field, value, path, problems);
    } else {
      filled = single(target, field, value, path, problems);
    }
    if (filled != null) {
      target.setField(field, filled);
    }
  }

  private static Object single(
      Message.Builder target, FieldDescriptor field, Object value, String path, Problems problems) {
    return switch (field.getJavaType()) {
      case MESSAGE -> message(target.newBuilderForField(field), value, path, problems);
      case ENUM -> enumValue(field.getEnumType(), value, path, problems);
      case STRING -> text(value, path, problems);
      case BOOLEAN -> {
        if (!(value instanceof Boolean)) {
          problems.wrongType(path, "a boolean", value);
          yield null;
        }
        yield value;
      }
      default -> number(field, value, path, problems);
    };
  }

  private static List<Object> items(
      Message.Builder target, FieldDescriptor field, Object value, String path, Problems problems) {
    if (!(value instanceof Collection<?> source)) {
      problems.wrongType(path, "a list", value);
      return null;
    }
    List<Object> items = new ArrayList<>(source.size());
    int index = 0;
    for (Object item : source) {
      Object filled = single(target, field, item, path + "[" + index + "]", problems);
      if (filled != null) {
        items.add(filled);
      }
      index++;
    }
    return items;
  }

  // The only maps of the API are from text to text.
  private static List<Message> mapEntries(
      Message.Builder target, FieldDescriptor field, Object value, String path, Problems problems) {
    if (!(value instanceof Map<?, ?> source)) {
      problems.wrongType(path, "an object", value);
      return null;
    }
    Descriptor entryType = field.getMessageType();
    List<Message> entries = new ArrayList<>(source.size());
    source.forEach(
        (key, item) -> {
          String place = Problems.member(path, key);
          String name = text(key, key instanceof String ? path : place, problems);
          String content = name == null ? null : text(item, place, problems);
          if (content != null) {
            entries.add(
                target
                    .newBuilderForField(field)
                    .setField(entryType.findFieldByNumber(1), name)
                    .setField(entryType.findFieldByNumber(2), content)
                    .build());
          }
        });
    return entries;
  }

  /** Returns a message made of a value, or null where it cannot be, which is then noted. */
  private static Message message(
      Message.Builder builder, Object value, String path, Problems problems) {
    Descriptor type = builder.getDescriptorForType();
    if (value instanceof Message made && made.getDescriptorForType() == type) {
      return made;
    }
    switch (type.getFullName()) {
      case "google.protobuf.Value":
        return Values.toValue(value, path, problems);
      case "google.protobuf.Duration":
        return Spans.toProto(value, path, problems);
      default:
        if (!(value instanceof Map<?, ?> source)) {
          problems.wrongType(path, "an object", value);
          return null;
        }
        if (type.getFullName().equals("google.protobuf.Struct")) {
          return Values.toStruct(source, path, problems);
        }
        fill(builder, source, path, problems);
        return builder.build();
    }
  }

  private static String text(Object value, String path, Problems problems) {
    if (value instanceof String text) {
      return Values.isText(text, path, problems) ? text : null;
    }
    problems.wrongType(path, "a string", value);
    return null;
  }

  private static Object number(
      FieldDescriptor field, Object value, String path, Problems problems) {
    if (!(value instanceof Number number)) {
      problems.wrongType(path, "a number", value);
      return null;
    }
    if (field.getJavaType() == FieldDescriptor.JavaType.DOUBLE) {
      if (Double.isFinite(number.doubleValue())) {
        return number.doubleValue();
      }
      problems.add(path, "NOT_FINITE", "expected a finite number");
      return null;
    }
    boolean isInt = field.getJavaType() == FieldDescriptor.JavaType.INT;
    int bits = isInt ? 32 : 64;
    BigInteger whole = whole(number);
    if (whole == null || whole.bitLength() >= bits) {
      problems.add(path, "OUT_OF_RANGE", "expected a whole number that fits " + bits + " bits");
      return null;
    }
    if (isInt) {
      return whole.intValue();
    }
    return whole.longValue();
  }

  private static BigInteger whole(Number number) {
    if (Values.isInteger(number)) {
      return Values.integer(number);
    }
    double value = number.doubleValue();
    return Double.isFinite(value) && value == Math.rint(value)
        ? new BigDecimal(value).toBigInteger()
        : null;
  }

  private static EnumValueDescriptor enumValue(
      EnumDescriptor type, Object value, String path, Problems problems) {
    String prefix = type.getValues().get(0).getName().replaceFirst("UNSPECIFIED$", "");
    EnumValueDescriptor found = null;
    if (value instanceof String text) {
      String name = text.toUpperCase(Locale.ROOT);
      found = type.findValueByName(name);
      found = found == null ? type.findValueByName(prefix + name) : found;
    } else if (value instanceof Integer || value instanceof Long) {
      long number = ((Number) value).longValue();
      found = number == (int) number ? type.findValueByNumber((int) number) : null;
    }
    if (found == null) {
      String allowed =
          type.getValues().stream()
              .skip(1)
              .map(known -> known.getName().substring(prefix.length()).toLowerCase(Locale.ROOT))
              .collect(Collectors.joining(", "));
      problems.add(path, "UNKNOWN_VALUE", "expected one of " + allowed + ", got " + value);
    }
    return found;
  }
}
