package io.execsvc.client;

import io.grpc.Status;

/** No answer came in time; the call may have taken effect. */
public final class DeadlineExceededException extends ExecsvcException {
  private static final long serialVersionUID = 1L;

  DeadlineExceededException(String message, StatusDetails details) {
    super(message, Status.Code.DEADLINE_EXCEEDED, details);
  }
}
