package io.execsvc.client;

import io.grpc.Status;

/**
 * The execution is not in the expected state, or another call was faster. Look at it, then decide
 * again.
 */
public final class AbortedException extends ExecsvcException {
  private static final long serialVersionUID = 1L;

  AbortedException(String message, StatusDetails details) {
    super(message, Status.Code.ABORTED, details);
  }
}
