package io.execsvc.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.QuotaFailure;
import com.google.rpc.ResourceInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * Everything that a {@code google.rpc.Status} says beside its code; empty where the server sent
 * none.
 */
record StatusDetails(
    String reason,
    String domain,
    Map<String, String> metadata,
    List<Problem> fieldViolations,
    Resource resource,
    List<Violation> preconditions,
    List<Violation> quotas,
    Duration retryDelay) {
  static final StatusDetails NONE =
      new StatusDetails("", "", Map.of(), List.of(), null, List.of(), List.of(), null);

  static StatusDetails ofViolations(String reason, List<Problem> violations) {
    return new StatusDetails(reason, "", Map.of(), violations, null, List.of(), List.of(), null);
  }

  /** Returns what the trailers of a failed call say; what does not parse counts as absent. */
  static StatusDetails of(Throwable failure) {
    StatusDetails details = NONE;
    Status status;
    try {
      status = StatusProto.fromThrowable(failure);
    } catch (IllegalArgumentException malformed) {
      return details;
    }
    if (status != null) {
      for (Any detail : status.getDetailsList()) {
        try {
          details = details.with(detail);
        } catch (InvalidProtocolBufferException malformed) {
          continue;
        }
      }
    }
    return details;
  }

  private StatusDetails with(Any detail) throws InvalidProtocolBufferException {
    // A proxy may rewrite the part before the slash; the type's name is what counts.
    String url = detail.getTypeUrl();
    switch (url.substring(url.lastIndexOf('/') + 1)) {
      case "google.rpc.ErrorInfo":
        ErrorInfo info = ErrorInfo.parseFrom(detail.getValue());
        return new StatusDetails(
            info.getReason(),
            info.getDomain(),
            Map.copyOf(info.getMetadataMap()),
            fieldViolations,
            resource,
            preconditions,
            quotas,
            retryDelay);
      case "google.rpc.BadRequest":
        return with(problems(BadRequest.parseFrom(detail.getValue())), preconditions, quotas);
      case "google.rpc.PreconditionFailure":
        List<Violation> unmet =
            PreconditionFailure.parseFrom(detail.getValue()).getViolationsList().stream()
                .map(one -> new Violation(one.getType(), one.getSubject(), one.getDescription()))
                .toList();
        return with(fieldViolations, unmet, quotas);
      case "google.rpc.QuotaFailure":
        List<Violation> used =
            QuotaFailure.parseFrom(detail.getValue()).getViolationsList().stream()
                .map(one -> new Violation("", one.getSubject(), one.getDescription()))
                .toList();
        return with(fieldViolations, preconditions, used);
      case "google.rpc.ResourceInfo":
        ResourceInfo about = ResourceInfo.parseFrom(detail.getValue());
        Resource named =
            new Resource(about.getResourceType(), about.getResourceName(), about.getDescription());
        return with(named, retryDelay);
      case "google.rpc.RetryInfo":
        RetryInfo retry = RetryInfo.parseFrom(detail.getValue());
        return with(resource, Values.toDuration(retry.getRetryDelay()));
      default:
        return this;
    }
  }

  private StatusDetails with(
      List<Problem> violations, List<Violation> preconditions, List<Violation> quotas) {
    return new StatusDetails(
        reason, domain, metadata, violations, resource, preconditions, quotas, retryDelay);
  }

  private StatusDetails with(Resource resource, Duration retryDelay) {
    return new StatusDetails(
        reason, domain, metadata, fieldViolations, resource, preconditions, quotas, retryDelay);
  }

  private static List<Problem> problems(BadRequest request) {
    return request.getFieldViolationsList().stream()
        .map(one -> new Problem(one.getField(), one.getReason(), one.getDescription()))
        .toList();
  }
}
