package io.execsvc.client;

import java.util.LinkedHashMap;
import java.util.Map;

/** Which entries a log stream has, and whether it goes on. */
public final class LogOptions {
  private final Map<String, Object> fields = new LinkedHashMap<>();

  LogOptions() {}

  /**
   * Leaves out entries up to this one, that is, resumes.
   *
   * @param afterSequence {@code lastSequence} of an earlier stream; 0: from the start
   * @return this
   */
  public LogOptions afterSequence(long afterSequence) {
    return set("after_sequence", afterSequence);
  }

  /**
   * Begins with the last so many of the entries there are now.
   *
   * @param tail not together with {@code afterSequence}
   * @return this
   */
  public LogOptions tail(int tail) {
    return set("tail", tail);
  }

  /**
   * Leaves out entries below a level.
   *
   * @param minLevel the level
   * @return this
   */
  public LogOptions minLevel(LogLevel minLevel) {
    return set("min_level", minLevel.name());
  }

  /**
   * Leaves out entries of other nodes.
   *
   * @param nodeId id of the node
   * @return this
   */
  public LogOptions nodeId(String nodeId) {
    return set("node_id", nodeId);
  }

  /**
   * Goes on until the execution has ended; otherwise the stream ends with the last entry there is.
   *
   * @param follow true to do so
   * @return this
   */
  public LogOptions follow(boolean follow) {
    return set("follow", follow);
  }

  /**
   * Answers {@code NotFoundException} if another execution has taken the id since.
   *
   * @param uid {@code uid} of an earlier stream
   * @return this
   */
  public LogOptions uid(String uid) {
    return set("uid", uid);
  }

  /**
   * Sets any field of the request, such as one that is newer than this class.
   *
   * @param field its name in the API, for example {@code page_size}
   * @param value in the JSON form, or as the message that it is
   * @return this
   */
  public LogOptions set(String field, Object value) {
    fields.put(field, value);
    return this;
  }

  /** Returns the fields of the request. */
  Map<String, Object> fields() {
    return fields;
  }
}
