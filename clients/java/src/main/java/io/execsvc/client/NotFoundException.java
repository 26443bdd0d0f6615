package io.execsvc.client;

import io.grpc.Status;

/** There is no execution or stored workflow with this id, or it is not visible to this caller. */
public final class NotFoundException extends ExecsvcException {
  private static final long serialVersionUID = 1L;

  NotFoundException(String message, StatusDetails details) {
    super(message, Status.Code.NOT_FOUND, details);
  }
}
