package io.execsvc.client;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;

/** Gathers every problem of one conversion, so that all are reported at once. */
final class Problems {
  private final List<Problem> found = new ArrayList<>();

  void add(String path, String reason, String message) {
    found.add(new Problem(path, reason, message));
  }

  void wrongType(String path, String wanted, Object value) {
    add(path, "WRONG_TYPE", "expected " + wanted + ", got " + describe(value));
  }

  boolean any() {
    return !found.isEmpty();
  }

  List<Problem> found() {
    return List.copyOf(found);
  }

  /** Throws what was found, as problems of a request. */
  void throwInvalidRequest() {
    if (any()) {
      throw new InvalidArgumentException(summary(), details());
    }
  }

  /** Throws what was found, as problems of a definition. */
  void throwInvalidDefinition() {
    if (any()) {
      throw new DefinitionException(summary(), details());
    }
  }

  private String summary() {
    String first = found.get(0).toString();
    return found.size() == 1 ? first : first + " (and " + (found.size() - 1) + " more)";
  }

  private StatusDetails details() {
    return StatusDetails.ofViolations("INVALID_REQUEST", found());
  }

  /** Returns the path of one field of an object. */
  static String member(String path, Object key) {
    return path.isEmpty() ? String.valueOf(key) : path + "." + key;
  }

  /** Returns how people call the type of a JSON value. */
  private static String describe(Object value) {
    if (value == null) {
      return "null";
    } else if (value instanceof Boolean) {
      return "a boolean";
    } else if (value instanceof Number) {
      return "a number";
    } else if (value instanceof String) {
      return "a string";
    } else if (value instanceof Map) {
      return "an object";
    } else if (value instanceof Collection) {
      return "a list";
    }
    return "a " + value.getClass().getSimpleName();
  }
}
