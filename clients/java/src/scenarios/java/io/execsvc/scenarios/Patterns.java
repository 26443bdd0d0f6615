package io.execsvc.scenarios;

import java.math.BigDecimal;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** Says where a result does not match what is expected, as clients/scenarios/README.md has it. */
final class Patterns {
  private Patterns() {}

  /** Returns what is wrong, with its path; null: it matches. */
  static String mismatch(Object pattern, Object value, String path) {
    if (pattern instanceof Map<?, ?> map && isOperators(map)) {
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        String wrong = operator((String) entry.getKey(), entry.getValue(), value, path);
        if (wrong != null) {
          return wrong;
        }
      }
      return null;
    }
    if (pattern instanceof Map<?, ?> map && !(map.isEmpty() && value == null)) {
      if (!(value instanceof Map<?, ?> found)) {
        return problem(path, pattern, value);
      }
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        String wrong =
            mismatch(entry.getValue(), found.get(entry.getKey()), join(path, entry.getKey()));
        if (wrong != null) {
          return wrong;
        }
      }
      return null;
    }
    if (pattern instanceof List<?> list && !list.isEmpty()) {
      return listMismatch(list, value, path);
    }
    boolean equal = isDefault(pattern) && value == null || isEqual(pattern, value);
    return equal ? null : problem(path, pattern, value);
  }

  private static String listMismatch(List<?> pattern, Object value, String path) {
    if (!(value instanceof List<?> found) || found.size() != pattern.size()) {
      return problem(path, pattern, value);
    }
    for (int index = 0; index < pattern.size(); index++) {
      String wrong = mismatch(pattern.get(index), found.get(index), join(path, index));
      if (wrong != null) {
        return wrong;
      }
    }
    return null;
  }

  private static boolean isOperators(Map<?, ?> pattern) {
    return !pattern.isEmpty()
        && pattern.keySet().stream().allMatch(key -> ((String) key).startsWith("$"));
  }

  private static String operator(String name, Object wanted, Object value, String path) {
    boolean matches =
        switch (name) {
          case "$any" -> !isDefault(value);
          case "$absent" -> isDefault(value);
          case "$match" ->
              value instanceof String text && Pattern.compile((String) wanted).matcher(text).find();
          case "$gt" -> compare(value, wanted) > 0;
          case "$gte" -> compare(value, wanted) >= 0;
          case "$lt" -> isNumber(value) && compare(value, wanted) < 0;
          case "$lte" -> isNumber(value) && compare(value, wanted) <= 0;
          case "$len" -> isEqual(wanted, length(value));
          case "$contains" -> contains(wanted, value);
          case "$each" ->
              value instanceof List<?> list
                  && list.stream().allMatch(item -> mismatch(wanted, item, "") == null);
          case "$not" -> mismatch(wanted, value, path) != null;
          case "$keys" ->
              value instanceof Map<?, ?> map
                  && map.size() == ((List<?>) wanted).size()
                  && map.keySet().containsAll((List<?>) wanted);
          default -> throw new IllegalArgumentException("no operator " + name);
        };
    return matches ? null : problem(path, Map.of(name, wanted), value);
  }

  private static boolean contains(Object wanted, Object value) {
    if (wanted instanceof String text) {
      return value instanceof String found && found.contains(text);
    }
    return value instanceof List<?> found
        && ((List<?>) wanted)
            .stream()
                .allMatch(
                    pattern ->
                        found.stream().anyMatch(item -> mismatch(pattern, item, "") == null));
  }

  private static long length(Object value) {
    if (value instanceof String text) {
      return text.codePointCount(0, text.length());
    } else if (value instanceof List<?> list) {
      return list.size();
    } else if (value instanceof Map<?, ?> map) {
      return map.size();
    }
    return value == null ? 0 : -1;
  }

  private static int compare(Object value, Object wanted) {
    return isNumber(value) ? decimal(value).compareTo(decimal(wanted)) : -1;
  }

  private static boolean isNumber(Object value) {
    return value instanceof Number
        || value instanceof String text && text.matches("-?[0-9]+(\\.[0-9]+)?([eE][-+]?[0-9]+)?");
  }

  private static BigDecimal decimal(Object value) {
    return new BigDecimal(value.toString());
  }

  private static boolean isEqual(Object pattern, Object value) {
    if (pattern instanceof Number) {
      return isNumber(value) && decimal(pattern).compareTo(decimal(value)) == 0;
    }
    return pattern == null ? value == null : pattern.equals(value);
  }

  static boolean isDefault(Object value) {
    return value == null
        || Boolean.FALSE.equals(value)
        || "".equals(value)
        || value instanceof List<?> list && list.isEmpty()
        || value instanceof Map<?, ?> map && map.isEmpty()
        || value instanceof Number number && number.doubleValue() == 0;
  }

  private static String join(String path, Object key) {
    return path.isEmpty() ? String.valueOf(key) : path + "." + key;
  }

  private static String problem(String path, Object pattern, Object value) {
    String got = value == null ? "nothing" : Json.write(value);
    return "at "
        + (path.isEmpty() ? "the result" : path)
        + ": expected "
        + Json.write(pattern)
        + ", got "
        + (got.length() <= 600 ? got : got.substring(0, 600) + "…");
  }
}
