package io.execsvc.client;

import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.util.List;

/** The one place where gRPC's failures become the exceptions of this client. */
final class Failures {
  /** What gRPC writes where a connection broke without a status from the server. */
  private static final List<String> BROKEN =
      List.of(
          "RST_STREAM",
          "Rst Stream",
          "GOAWAY",
          "Goaway",
          "end-of-stream mid-frame",
          "ENHANCE_YOUR_CALM",
          "Connection reset");

  /**
   * What a server's gRPC core says, with the code of the same name, of a call that it hands to
   * nobody: one that comes while the server closes, or while more wait than it keeps. A call given
   * up on this side is told in other words.
   */
  private static final String CUT_OFF = "CANCELLED";

  private Failures() {}

  /** Returns the exception that stands for a failed call, its details unpacked. */
  static ExecsvcException of(Throwable failure) {
    if (failure instanceof ExecsvcException known) {
      return known;
    }
    Status status = Status.fromThrowable(failure);
    boolean fromCall =
        failure instanceof StatusRuntimeException || failure instanceof StatusException;
    StatusDetails details = fromCall ? StatusDetails.of(failure) : StatusDetails.NONE;
    boolean cutOff =
        status.getCode() == Status.Code.CANCELLED
            && CUT_OFF.equals(status.getDescription())
            && details.reason().isEmpty();
    // A call that was cut off is nobody's wish: CANCELLED would say so.
    ExecsvcException made =
        cutOff
            ? unavailable(
                "the server gave the call up before it was read,"
                    + " as one does that closes or is overrun")
            : of(status.getCode(), message(status), details);
    made.initCause(failure);
    return made;
  }

  private static ExecsvcException of(Status.Code code, String message, StatusDetails details) {
    return switch (code) {
      case INVALID_ARGUMENT -> new InvalidArgumentException(message, details);
      case NOT_FOUND -> new NotFoundException(message, details);
      case ALREADY_EXISTS -> new AlreadyExistsException(message, details);
      case FAILED_PRECONDITION -> new FailedPreconditionException(message, details);
      case ABORTED -> new AbortedException(message, details);
      case OUT_OF_RANGE -> new OutOfRangeException(message, details);
      case RESOURCE_EXHAUSTED -> new ResourceExhaustedException(message, details);
      case UNAUTHENTICATED -> new UnauthenticatedException(message, details);
      case PERMISSION_DENIED -> new PermissionDeniedException(message, details);
      case UNAVAILABLE -> new UnavailableException(message, details);
      case DEADLINE_EXCEEDED -> new DeadlineExceededException(message, details);
      case CANCELLED -> new CancelledException(message, details);
      case UNIMPLEMENTED -> new UnimplementedException(message, details);
      case OK, UNKNOWN, INTERNAL, DATA_LOSS -> new InternalException(message, code, details);
    };
  }

  private static String message(Status status) {
    String text = status.getDescription();
    if (text == null || text.isEmpty()) {
      text = "the call failed";
    }
    // gRPC says "io exception" and leaves to the causes which one.
    Throwable root = status.getCause();
    while (root != null && root.getCause() != null) {
      root = root.getCause();
    }
    boolean told = root == null || root.getMessage() == null || text.contains(root.getMessage());
    return told ? text : text + ": " + root.getMessage();
  }

  static CancelledException closed() {
    return new CancelledException("the client is closed", StatusDetails.NONE);
  }

  /** Marks the thread as interrupted again and returns what to throw. */
  static CancelledException interrupted(InterruptedException cause) {
    Thread.currentThread().interrupt();
    CancelledException made =
        new CancelledException(
            "the thread was interrupted while it waited for the server", StatusDetails.NONE);
    made.initCause(cause);
    return made;
  }

  static DeadlineExceededException late(String message, Throwable cause) {
    DeadlineExceededException made = new DeadlineExceededException(message, StatusDetails.NONE);
    made.initCause(cause);
    return made;
  }

  static ResourceExhaustedException tooLarge(int size, int limit) {
    String message = "the request has " + size + " bytes; at most " + limit + " can be sent";
    return new ResourceExhaustedException(message, StatusDetails.NONE);
  }

  static UnavailableException unavailable(String message) {
    return new UnavailableException(message, StatusDetails.NONE);
  }

  /**
   * Whether a server's gRPC core gave the call up: it is unavailable, but gRPC on this side does
   * not know.
   */
  static boolean isCutOff(ExecsvcException error) {
    return error instanceof UnavailableException
        && error.getCause() instanceof StatusRuntimeException cause
        && cause.getStatus().getCode() == Status.Code.CANCELLED;
  }

  /**
   * Whether a stream broke for a reason that says nothing about the request, so that connecting
   * again may help.
   */
  static boolean isLostConnection(ExecsvcException error) {
    return switch (error.code()) {
      case UNAVAILABLE, DEADLINE_EXCEEDED -> true;
      case INTERNAL, UNKNOWN, CANCELLED, RESOURCE_EXHAUSTED ->
          error.reason().isEmpty() && (isIoFailure(error) || isMarked(error));
      default -> false;
    };
  }

  private static boolean isMarked(ExecsvcException error) {
    return BROKEN.stream().anyMatch(error.description()::contains);
  }

  private static boolean isIoFailure(Throwable error) {
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      if (cause instanceof IOException) {
        return true;
      }
    }
    return false;
  }
}
