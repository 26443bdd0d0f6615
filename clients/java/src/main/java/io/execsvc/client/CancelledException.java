package io.execsvc.client;

import io.grpc.Status;

/**
 * The call was given up: by the server, because this client was closed, or because the thread was
 * interrupted (it is then marked as such again).
 */
public final class CancelledException extends ExecsvcException {
  private static final long serialVersionUID = 1L;

  CancelledException(String message, StatusDetails details) {
    super(message, Status.Code.CANCELLED, details);
  }
}
