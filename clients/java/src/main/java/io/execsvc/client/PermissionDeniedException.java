package io.execsvc.client;

import io.grpc.Status;

/** The caller is known, but may not do this. */
public final class PermissionDeniedException extends ExecsvcException {
  private static final long serialVersionUID = 1L;

  PermissionDeniedException(String message, StatusDetails details) {
    super(message, Status.Code.PERMISSION_DENIED, details);
  }
}
