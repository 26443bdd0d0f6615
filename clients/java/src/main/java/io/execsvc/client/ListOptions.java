package io.execsvc.client;

import java.util.LinkedHashMap;
import java.util.Map;

/** Which executions a list has, and in which order. */
public final class ListOptions {
  private final Map<String, Object> fields = new LinkedHashMap<>();

  ListOptions() {}

  /**
   * Sets which ones, in the language of AIP-160 over {@code state}, {@code workflow_id}, {@code
   * execution_id}, {@code create_time}, {@code start_time}, {@code end_time}, {@code priority} and
   * {@code labels.KEY}.
   *
   * @param filter such as {@code state = FAILED AND labels.team = "billing"}
   * @return this
   */
  public ListOptions filter(String filter) {
    return set("filter", filter);
  }

  /**
   * Sets the order.
   *
   * @param orderBy {@code create_time} or {@code end_time}, with {@code desc} behind it for the
   *     newest first, which is the standard
   * @return this
   */
  public ListOptions orderBy(String orderBy) {
    return set("order_by", orderBy);
  }

  /**
   * Sets how many to fetch at once.
   *
   * @param pageSize up to 1,000
   * @return this
   */
  public ListOptions pageSize(int pageSize) {
    return set("page_size", pageSize);
  }

  /**
   * Asks for a page; only for single pages.
   *
   * @param pageToken {@code nextToken} of the page before, with the other options as they were
   * @return this
   */
  public ListOptions pageToken(String pageToken) {
    return set("page_token", pageToken);
  }

  /**
   * Sets any field of the request, such as one that is newer than this class.
   *
   * @param field its name in the API, for example {@code page_size}
   * @param value in the JSON form, or as the message that it is
   * @return this
   */
  public ListOptions set(String field, Object value) {
    fields.put(field, value);
    return this;
  }

  /** Returns the fields of the request. */
  Map<String, Object> fields() {
    return fields;
  }
}
