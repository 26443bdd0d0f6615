package io.execsvc.client;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.StringReader;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads JSON text into plain Java values, whole numbers as such: Long, or BigInteger. */
final class JsonText {
  private static final Pattern PLACE =
      Pattern.compile(" at line (\\d+) column (\\d+).*", Pattern.DOTALL);

  /** Far above what the API takes, which {@link Values} reports with the exact path. */
  private static final int NESTING_LIMIT = 200;

  /** Numbers take time with the square of their digits; no double has that many. */
  private static final int MAX_DIGITS = 4300;

  private JsonText() {}

  /**
   * Returns the value of a text; what is no JSON is noted.
   *
   * @param name what the text is called in problems
   * @param hint what to add to a problem
   */
  static Object parse(String text, String name, String hint, Problems problems) {
    JsonReader reader = new JsonReader(new StringReader(text));
    reader.setStrictness(Strictness.STRICT);
    reader.setNestingLimit(NESTING_LIMIT);
    try {
      Object value = value(reader);
      if (reader.peek() != JsonToken.END_DOCUMENT) {
        problems.add(name, "INVALID_JSON", "not JSON: more than one value");
      }
      return value;
    } catch (IOException | NumberFormatException error) {
      note(error, name, hint, problems);
      return null;
    }
  }

  private static void note(Exception error, String name, String hint, Problems problems) {
    String message = error.getMessage() == null ? "it cannot be read" : error.getMessage();
    if (message.startsWith("Nesting limit")) {
      problems.add(name, "TOO_DEEP", "the JSON is nested too deeply");
      return;
    }
    Matcher place = PLACE.matcher(message);
    String path = name;
    if (place.find()) {
      path = name + ":" + place.group(1) + ":" + place.group(2);
      message = message.substring(0, place.start());
    }
    problems.add(path, "INVALID_JSON", "not JSON: " + message + hint);
  }

  private static Object value(JsonReader reader) throws IOException {
    switch (reader.peek()) {
      case BEGIN_OBJECT:
        Map<String, Object> object = new LinkedHashMap<>();
        reader.beginObject();
        while (reader.hasNext()) {
          object.put(reader.nextName(), value(reader));
        }
        reader.endObject();
        return object;
      case BEGIN_ARRAY:
        List<Object> array = new ArrayList<>();
        reader.beginArray();
        while (reader.hasNext()) {
          array.add(value(reader));
        }
        reader.endArray();
        return array;
      case NUMBER:
        return number(reader.nextString());
      case BOOLEAN:
        return reader.nextBoolean();
      case NULL:
        reader.nextNull();
        return null;
      default:
        return reader.nextString();
    }
  }

  private static Number number(String text) {
    if (text.indexOf('.') >= 0 || text.indexOf('e') >= 0 || text.indexOf('E') >= 0) {
      return Double.valueOf(text);
    }
    if (text.length() > MAX_DIGITS) {
      throw new NumberFormatException("a number of " + text.length() + " digits");
    }
    BigInteger whole = new BigInteger(text);
    if (whole.bitLength() < Long.SIZE) {
      return whole.longValue();
    }
    return whole;
  }
}
