package io.execsvc.client;

import io.grpc.Status;

/** The cursor lies outside the log. */
public final class OutOfRangeException extends ExecsvcException {
  private static final long serialVersionUID = 1L;

  OutOfRangeException(String message, StatusDetails details) {
    super(message, Status.Code.OUT_OF_RANGE, details);
  }
}
