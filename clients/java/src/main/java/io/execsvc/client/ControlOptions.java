package io.execsvc.client;

import java.util.LinkedHashMap;
import java.util.Map;

/** How an execution's state is to be changed. */
public final class ControlOptions {
  private final Map<String, Object> fields = new LinkedHashMap<>();

  ControlOptions() {}

  /**
   * Says why, for the log.
   *
   * @param reason at most 1,024 characters
   * @return this
   */
  public ControlOptions reason(String reason) {
    return set("reason", reason);
  }

  /**
   * Acts only if this is the state; {@code AbortedException} otherwise.
   *
   * @param expectedState the state
   * @return this
   */
  public ControlOptions expectedState(ExecutionState expectedState) {
    return set("expected_state", expectedState.name());
  }

  /**
   * Makes a repeated call answer as the first did.
   *
   * @param requestId your id of the call; one is made where none is set
   * @return this
   */
  public ControlOptions requestId(String requestId) {
    return set("request_id", requestId);
  }

  /**
   * Replaces the input for nodes that have not finished; only with {@code retry}.
   *
   * @param input the new input
   * @return this
   */
  public ControlOptions input(Map<String, ?> input) {
    return set("input", input);
  }

  /**
   * Sets any field of the request, such as one that is newer than this class.
   *
   * @param field its name in the API, for example {@code page_size}
   * @param value in the JSON form, or as the message that it is
   * @return this
   */
  public ControlOptions set(String field, Object value) {
    fields.put(field, value);
    return this;
  }

  /** Returns the fields of the request. */
  Map<String, Object> fields() {
    return fields;
  }
}
