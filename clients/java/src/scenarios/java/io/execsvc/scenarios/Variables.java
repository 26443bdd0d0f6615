package io.execsvc.scenarios;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What steps have kept, and texts with <code>${path}</code> in them filled in. */
final class Variables {
  private static final Pattern PLACE = Pattern.compile("\\$\\{([^}]*)\\}");

  private final Map<String, Object> kept = new ConcurrentHashMap<>();

  Variables() {
    kept.put("scope", unique());
  }

  void keep(String name, Object value) {
    kept.put(name, value);
  }

  private static String unique() {
    return "j" + UUID.randomUUID().toString().replace("-", "").substring(0, 16);
  }

  /** Returns a value with every text filled in; {@code i} is the number of this repeat. */
  Object fill(Object value, long i) {
    if (value instanceof Map<?, ?> map) {
      if (map.size() == 1 && map.get("$int") instanceof String digits) {
        return Json.number(digits);
      }
      Map<String, Object> filled = new LinkedHashMap<>();
      map.forEach((key, item) -> filled.put((String) fill(key, i), fill(item, i)));
      return filled;
    }
    if (value instanceof List<?> list) {
      List<Object> filled = new ArrayList<>();
      list.forEach(item -> filled.add(fill(item, i)));
      return filled;
    }
    return value instanceof String text ? fillText(text, i) : value;
  }

  private Object fillText(String text, long i) {
    Matcher places = PLACE.matcher(text);
    if (places.matches()) {
      return look(places.group(1), i);
    }
    return places.reset().replaceAll(place -> Matcher.quoteReplacement(shown(place.group(1), i)));
  }

  private String shown(String path, long i) {
    Object value = look(path, i);
    return value instanceof String text ? text : Json.write(value);
  }

  private Object look(String path, long i) {
    if (path.equals("new")) {
      return unique();
    }
    if (path.equals("i")) {
      return i;
    }
    String[] steps = path.split("\\.");
    Object value = kept.get(steps[0]);
    if (value == null) {
      throw new IllegalArgumentException("no variable " + steps[0]);
    }
    for (int at = 1; at < steps.length; at++) {
      if (value instanceof List<?> list) {
        value = list.get(Integer.parseInt(steps[at]));
      } else if (value instanceof Map<?, ?> map) {
        value = map.get(steps[at]);
      } else {
        throw new IllegalArgumentException("nothing at " + path);
      }
    }
    return value;
  }
}
