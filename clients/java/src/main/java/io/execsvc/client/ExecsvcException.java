package io.execsvc.client;

import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * A call did not succeed. Base of every exception that this client throws on purpose; there is a
 * subclass for each status.
 */
public class ExecsvcException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Status of the call, as gRPC names it. */
  private final Status.Code code;

  private final String text;
  private final transient StatusDetails details;

  ExecsvcException(String message, Status.Code code, StatusDetails details) {
    super(message + " [" + (details.reason().isEmpty() ? code.name() : details.reason()) + "]");
    this.text = message;
    this.code = code;
    this.details = details;
  }

  // An exception that was serialized comes back without its details.
  private StatusDetails details() {
    return details == null ? StatusDetails.NONE : details;
  }

  /**
   * Returns the status of the call.
   *
   * @return for example {@code NOT_FOUND}
   */
  public Status.Code code() {
    return code;
  }

  /**
   * Returns what happened, for people; {@link #getMessage()} is the same with the reason.
   *
   * @return the text
   */
  public String description() {
    return text;
  }

  /**
   * Returns the stable name of the error.
   *
   * @return UPPER_SNAKE_CASE, for example {@code EXECUTION_NOT_FOUND}; empty where the error did
   *     not come from an execsvc server
   */
  public String reason() {
    return details().reason();
  }

  /**
   * Returns who defines the reason.
   *
   * @return {@code execsvc} for errors of the service; may be empty
   */
  public String domain() {
    return details().domain();
  }

  /**
   * Returns facts by name.
   *
   * @return such as {@code execution_id} and {@code state}; may be empty
   */
  public Map<String, String> metadata() {
    return details().metadata();
  }

  /**
   * Returns what is wrong with the request, each with its path.
   *
   * @return the problems; may be empty
   */
  public List<Problem> fieldViolations() {
    return details().fieldViolations();
  }

  /**
   * Returns what the error is about.
   *
   * @return empty where the server does not say
   */
  public Optional<Resource> resource() {
    return Optional.ofNullable(details().resource());
  }

  /**
   * Returns what would have to hold first.
   *
   * @return the preconditions; may be empty
   */
  public List<Violation> preconditions() {
    return details().preconditions();
  }

  /**
   * Returns the limits that are used up.
   *
   * @return the quotas; may be empty
   */
  public List<Violation> quotas() {
    return details().quotas();
  }

  /**
   * Returns after how long another attempt makes sense.
   *
   * @return empty where the server names no time
   */
  public Optional<Duration> retryDelay() {
    return Optional.ofNullable(details().retryDelay());
  }

  /**
   * Returns the id of the execution that the error is about.
   *
   * @return empty where it is about none
   */
  public String executionId() {
    String named =
        resource()
            .filter(about -> about.type().toLowerCase(Locale.ROOT).endsWith("execution"))
            .map(Resource::name)
            .orElse("");
    return metadata().getOrDefault("execution_id", named);
  }

  /**
   * Returns the state of that execution when the call was refused.
   *
   * @return for example {@code PAUSED}; empty where not told
   */
  public String state() {
    return metadata().getOrDefault("state", "");
  }
}
