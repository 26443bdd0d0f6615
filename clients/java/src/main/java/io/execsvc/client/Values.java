package io.execsvc.client;

import com.google.protobuf.ListValue;
import com.google.protobuf.NullValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Timestamp;
import com.google.protobuf.Value;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Converts between plain Java values and the well-known types that stand for JSON and for time. */
final class Values {
  /** Levels inside a value: protobuf parsers stop at 100 nested messages, a level costs three. */
  private static final int MAX_DEPTH = 30;

  /** Doubles are exact up to here, so whole numbers up to here are answered as {@code Long}. */
  private static final double MAX_EXACT_INTEGER = 0x1p53;

  private Values() {}

  /** Returns a JSON-like value as protobuf; what does not fit is noted and becomes null. */
  static Value toValue(Object value, String path, Problems problems) {
    return toValue(value, path, problems, 0);
  }

  /** Returns a map as a struct; what does not fit is noted and left out. */
  static Struct toStruct(Map<?, ?> value, String path, Problems problems) {
    return toStruct(value, path, problems, 0);
  }

  private static Value toValue(Object value, String path, Problems problems, int depth) {
    Value.Builder target = Value.newBuilder().setNullValue(NullValue.NULL_VALUE);
    if (value instanceof Boolean truth) {
      target.setBoolValue(truth);
    } else if (value instanceof Number number) {
      fillNumber(target, number, path, problems);
    } else if (value instanceof String text) {
      if (isText(text, path, problems)) {
        target.setStringValue(text);
      }
    } else if (value instanceof Map<?, ?> map) {
      target.setStructValue(toStruct(map, path, problems, depth));
    } else if (value instanceof Collection<?> items) {
      target.setListValue(toList(items, path, problems, depth));
    } else if (value != null) {
      problems.wrongType(
          path, "a JSON value (null, boolean, number, string, list or object)", value);
    }
    return target.build();
  }

  private static Struct toStruct(Map<?, ?> value, String path, Problems problems, int depth) {
    Struct.Builder target = Struct.newBuilder();
    if (isShallow(path, problems, depth)) {
      for (Map.Entry<?, ?> entry : value.entrySet()) {
        String place = Problems.member(path, entry.getKey());
        if (!(entry.getKey() instanceof String key)) {
          problems.wrongType(place, "a string as key", entry.getKey());
        } else if (isText(key, path, problems)) {
          target.putFields(key, toValue(entry.getValue(), place, problems, depth + 1));
        }
      }
    }
    return target.build();
  }

  private static ListValue toList(Collection<?> value, String path, Problems problems, int depth) {
    ListValue.Builder target = ListValue.newBuilder();
    if (isShallow(path, problems, depth)) {
      int index = 0;
      for (Object item : value) {
        target.addValues(toValue(item, path + "[" + index + "]", problems, depth + 1));
        index++;
      }
    }
    return target.build();
  }

  private static boolean isShallow(String path, Problems problems, int depth) {
    if (depth < MAX_DEPTH) {
      return true;
    }
    String limit = "lists and objects may be nested " + MAX_DEPTH + " levels deep at most";
    problems.add(path, "TOO_DEEP", limit);
    return false;
  }

  private static void fillNumber(Value.Builder target, Number value, String path, Problems found) {
    double number = value.doubleValue();
    if (isInteger(value)) {
      BigInteger whole = integer(value);
      if (Double.isInfinite(number) || !new BigDecimal(number).toBigInteger().equals(whole)) {
        String shown =
            whole.bitLength() < 200
                ? value.toString()
                : "an integer of " + whole.bitLength() + " bits";
        found.add(
            path, "INEXACT_INTEGER", shown + " does not fit a double exactly; send it as a string");
        return;
      }
    } else if (!Double.isFinite(number)) {
      found.add(path, "NOT_FINITE", "JSON has no " + number + "; send null or a string");
      return;
    }
    target.setNumberValue(number);
  }

  /** Whether a number is of a type that holds whole numbers only. */
  static boolean isInteger(Number value) {
    return value instanceof Integer
        || value instanceof Long
        || value instanceof Short
        || value instanceof Byte
        || value instanceof BigInteger;
  }

  /** Returns a number of such a type. */
  static BigInteger integer(Number value) {
    return value instanceof BigInteger big ? big : BigInteger.valueOf(value.longValue());
  }

  /**
   * Whether text can be sent: protobuf would turn half of a surrogate pair into a question mark.
   */
  static boolean isText(String value, String path, Problems problems) {
    for (int at = 0; at < value.length(); at++) {
      char character = value.charAt(at);
      if (!Character.isSurrogate(character)) {
        continue;
      }
      if (Character.isHighSurrogate(character)
          && at + 1 < value.length()
          && Character.isLowSurrogate(value.charAt(at + 1))) {
        at++;
        continue;
      }
      problems.add(
          path, "INVALID_UNICODE", "character " + at + " is half of a surrogate pair, not text");
      return false;
    }
    return true;
  }

  /** Returns a value in Java: null, Boolean, Long or Double, String, List or Map. */
  static Object toJava(Value value) {
    return switch (value.getKindCase()) {
      case STRING_VALUE -> value.getStringValue();
      case BOOL_VALUE -> value.getBoolValue();
      case NUMBER_VALUE -> toNumber(value.getNumberValue());
      case STRUCT_VALUE -> toMap(value.getStructValue());
      case LIST_VALUE -> toJavaList(value.getListValue());
      case NULL_VALUE, KIND_NOT_SET -> null;
    };
  }

  private static Number toNumber(double number) {
    if (number == Math.rint(number) && Math.abs(number) <= MAX_EXACT_INTEGER) {
      return (long) number;
    }
    return number;
  }

  private static List<Object> toJavaList(ListValue value) {
    List<Object> items = new ArrayList<>(value.getValuesCount());
    for (Value item : value.getValuesList()) {
      items.add(toJava(item));
    }
    return Collections.unmodifiableList(items);
  }

  /** Returns a struct as a map that cannot be changed. */
  static Map<String, Object> toMap(Struct struct) {
    Map<String, Object> map = new LinkedHashMap<>();
    struct.getFieldsMap().forEach((key, value) -> map.put(key, toJava(value)));
    return Collections.unmodifiableMap(map);
  }

  static Instant toInstant(Timestamp stamp) {
    return Instant.ofEpochSecond(stamp.getSeconds(), stamp.getNanos());
  }

  static Duration toDuration(com.google.protobuf.Duration span) {
    return Duration.ofSeconds(span.getSeconds(), span.getNanos());
  }
}
