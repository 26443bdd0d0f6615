package io.execsvc.client;

import java.util.LinkedHashMap;
import java.util.Map;

/** Which entries a list of log entries has. */
public final class ListLogsOptions {
  private final Map<String, Object> fields = new LinkedHashMap<>();

  ListLogsOptions() {}

  /**
   * Leaves out entries below a level.
   *
   * @param minLevel the level
   * @return this
   */
  public ListLogsOptions minLevel(LogLevel minLevel) {
    return set("min_level", minLevel.name());
  }

  /**
   * Leaves out entries of other nodes.
   *
   * @param nodeId id of the node
   * @return this
   */
  public ListLogsOptions nodeId(String nodeId) {
    return set("node_id", nodeId);
  }

  /**
   * Sets how many entries to fetch at once.
   *
   * @param pageSize up to 1,000
   * @return this
   */
  public ListLogsOptions pageSize(int pageSize) {
    return set("page_size", pageSize);
  }

  /**
   * Asks for a page; only for single pages.
   *
   * @param pageToken {@code nextToken} of the page before, with the other options as they were
   * @return this
   */
  public ListLogsOptions pageToken(String pageToken) {
    return set("page_token", pageToken);
  }

  /**
   * Sets any field of the request, such as one that is newer than this class.
   *
   * @param field its name in the API, for example {@code page_size}
   * @param value in the JSON form, or as the message that it is
   * @return this
   */
  public ListLogsOptions set(String field, Object value) {
    fields.put(field, value);
    return this;
  }

  /** Returns the fields of the request. */
  Map<String, Object> fields() {
    return fields;
  }
}
