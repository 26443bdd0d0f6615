package io.execsvc.client;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;

/** What an execution may be given beside its definition and input. */
public final class ExecuteOptions {
  private final Map<String, Object> fields = new LinkedHashMap<>();

  ExecuteOptions() {}

  /**
   * Sets your id of the execution, which makes the call idempotent: the same request again answers
   * the execution that is there.
   *
   * @param executionId matches {@code [A-Za-z0-9_.:-]{1,128}}; one is made where none is set
   * @return this
   */
  public ExecuteOptions executionId(String executionId) {
    return set("execution_id", executionId);
  }

  /**
   * Sets your id of the workflow, for history.
   *
   * @param workflowId the id
   * @return this
   */
  public ExecuteOptions workflowId(String workflowId) {
    return set("workflow_id", workflowId);
  }

  /**
   * Sets which version of a stored workflow to run.
   *
   * @param workflowVersion as {@code createWorkflow} answered it; without, the newest
   * @return this
   */
  public ExecuteOptions workflowVersion(String workflowVersion) {
    return set("workflow_version", workflowVersion);
  }

  /**
   * Sets names and values to find it by.
   *
   * @param labels up to 64 of them
   * @return this
   */
  public ExecuteOptions labels(Map<String, String> labels) {
    return set("labels", Map.copyOf(labels));
  }

  /**
   * Sets its priority.
   *
   * @param priority higher starts first; -1000 to 1000
   * @return this
   */
  public ExecuteOptions priority(int priority) {
    return set("priority", priority);
  }

  /**
   * Sets the longest it may run, pauses not counted.
   *
   * @param timeout without, there is no limit
   * @return this
   */
  public ExecuteOptions timeout(Duration timeout) {
    return set("timeout", timeout);
  }

  /**
   * Sets the longest it may run, pauses not counted.
   *
   * @param timeoutText like {@code 90s}, {@code 200ms}, {@code 2m} or {@code 1h}
   * @return this
   */
  public ExecuteOptions timeout(String timeoutText) {
    return set("timeout", timeoutText);
  }

  /**
   * Lets executions with the same key share a limit.
   *
   * @param concurrencyKey the key
   * @return this
   */
  public ExecuteOptions concurrencyKey(String concurrencyKey) {
    return set("concurrency_key", concurrencyKey);
  }

  /**
   * Sets how failed attempts are repeated at nodes with effects that say nothing of their own.
   *
   * @param retry without, they are not
   * @return this
   */
  public ExecuteOptions retry(RetryPolicy retry) {
    return set("retry", retry.fields());
  }

  /**
   * Sets the same from the JSON form of a policy.
   *
   * @param policy waits may be written like {@code 1.5s}, or in seconds
   * @return this
   */
  public ExecuteOptions retry(Map<String, ?> policy) {
    return set("retry", policy);
  }

  /**
   * Checks everything and stores nothing: the state of the answer is then {@code UNSPECIFIED}.
   *
   * @param validateOnly true to do so
   * @return this
   */
  public ExecuteOptions validateOnly(boolean validateOnly) {
    return set("validate_only", validateOnly);
  }

  /**
   * Sets any field of the request, such as one that is newer than this class.
   *
   * @param field its name in the API, for example {@code page_size}
   * @param value in the JSON form, or as the message that it is
   * @return this
   */
  public ExecuteOptions set(String field, Object value) {
    fields.put(field, value);
    return this;
  }

  /** Returns the fields of the request. */
  Map<String, Object> fields() {
    return fields;
  }
}
