package io.execsvc.client;

import io.grpc.Status;

/** The execution's state does not allow this action; {@code state} says what it is. */
public final class FailedPreconditionException extends ExecsvcException {
  private static final long serialVersionUID = 1L;

  FailedPreconditionException(String message, StatusDetails details) {
    super(message, Status.Code.FAILED_PRECONDITION, details);
  }
}
