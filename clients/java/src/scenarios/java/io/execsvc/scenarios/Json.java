package io.execsvc.scenarios;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.util.JsonFormat;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** JSON as plain Java values, and messages as their canonical JSON. */
final class Json {
  private static final Gson GSON =
      new GsonBuilder().disableHtmlEscaping().serializeNulls().create();
  private static final JsonFormat.Printer MESSAGES =
      JsonFormat.printer().preservingProtoFieldNames().omittingInsignificantWhitespace();

  private Json() {}

  static Object parse(String text) {
    return plain(JsonParser.parseString(text));
  }

  static String write(Object value) {
    return GSON.toJson(value);
  }

  /** Returns a value as text with the keys of every object sorted. */
  static String writeSorted(Object value) {
    return GSON.toJson(sorted(value));
  }

  static Map<String, Object> of(MessageOrBuilder message) {
    try {
      return object(parse(MESSAGES.print(message)));
    } catch (InvalidProtocolBufferException error) {
      throw new IllegalStateException(error);
    }
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> object(Object value) {
    return (Map<String, Object>) value;
  }

  @SuppressWarnings("unchecked")
  static List<Object> list(Object value) {
    return (List<Object>) value;
  }

  private static Object plain(JsonElement element) {
    if (element.isJsonObject()) {
      Map<String, Object> object = new LinkedHashMap<>();
      element.getAsJsonObject().asMap().forEach((key, value) -> object.put(key, plain(value)));
      return object;
    }
    if (element.isJsonArray()) {
      List<Object> list = new ArrayList<>();
      element.getAsJsonArray().forEach(item -> list.add(plain(item)));
      return list;
    }
    if (element.isJsonNull()) {
      return null;
    }
    JsonPrimitive primitive = element.getAsJsonPrimitive();
    if (primitive.isBoolean()) {
      return primitive.getAsBoolean();
    }
    return primitive.isNumber() ? number(primitive.getAsString()) : primitive.getAsString();
  }

  static Number number(String text) {
    if (text.matches("-?[0-9]+")) {
      BigInteger whole = new BigInteger(text);
      if (whole.bitLength() < Long.SIZE) {
        return whole.longValue();
      }
      return whole;
    }
    return Double.valueOf(text);
  }

  private static Object sorted(Object value) {
    if (value instanceof Map<?, ?> map) {
      Map<String, Object> object = new TreeMap<>();
      map.forEach((key, item) -> object.put((String) key, sorted(item)));
      return object;
    }
    return value instanceof List<?> list ? list.stream().map(Json::sorted).toList() : value;
  }
}
