package io.execsvc.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.QuotaFailure;
import com.google.rpc.ResourceInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class FailuresTest {
  private static ExecsvcException failure(Status.Code code, Message... details) {
    com.google.rpc.Status.Builder status =
        com.google.rpc.Status.newBuilder().setCode(code.value()).setMessage("no");
    for (Message detail : details) {
      status.addDetails(Any.pack(detail, "proxy.example"));
    }
    return Failures.of(StatusProto.toStatusRuntimeException(status.build()));
  }

  @Test
  void allDetailsAreUnpacked() {
    ExecsvcException error =
        failure(
            Status.Code.FAILED_PRECONDITION,
            ErrorInfo.newBuilder()
                .setReason("ILLEGAL_TRANSITION")
                .setDomain("execsvc")
                .putMetadata("state", "PAUSED")
                .build(),
            BadRequest.newBuilder()
                .addFieldViolations(
                    BadRequest.FieldViolation.newBuilder()
                        .setField("input.n")
                        .setReason("SCHEMA")
                        .setDescription("too small"))
                .build(),
            ResourceInfo.newBuilder()
                .setResourceType("execsvc.v1.Execution")
                .setResourceName("order-17")
                .build(),
            PreconditionFailure.newBuilder()
                .addViolations(PreconditionFailure.Violation.newBuilder().setType("STATE"))
                .build(),
            QuotaFailure.newBuilder()
                .addViolations(QuotaFailure.Violation.newBuilder().setSubject("queue"))
                .build(),
            RetryInfo.newBuilder()
                .setRetryDelay(com.google.protobuf.Duration.newBuilder().setNanos(500_000_000))
                .build());
    assertInstanceOf(FailedPreconditionException.class, error);
    assertEquals("ILLEGAL_TRANSITION", error.reason());
    assertEquals("execsvc", error.domain());
    assertEquals("PAUSED", error.state());
    assertEquals("order-17", error.executionId());
    assertEquals(List.of(new Problem("input.n", "SCHEMA", "too small")), error.fieldViolations());
    assertEquals("STATE", error.preconditions().get(0).type());
    assertEquals("queue", error.quotas().get(0).subject());
    assertEquals(Optional.of(Duration.ofMillis(500)), error.retryDelay());
    assertEquals("no", error.description());
    assertEquals("no [ILLEGAL_TRANSITION]", error.getMessage());
    assertInstanceOf(StatusRuntimeException.class, error.getCause());
  }

  @ParameterizedTest
  @EnumSource(
      value = Status.Code.class,
      mode = EnumSource.Mode.EXCLUDE,
      names = {"OK", "UNKNOWN", "INTERNAL", "DATA_LOSS"})
  void everyStatusHasAnExceptionOfItsOwn(Status.Code code) {
    ExecsvcException error = failure(code);
    assertEquals(code, error.code());
    String name = error.getClass().getSimpleName().replace("Exception", "");
    assertEquals(code.name().replace("_", ""), name.toUpperCase(java.util.Locale.ROOT));
  }

  @Test
  void bugsAreOneKindAndKeepTheirCode() {
    assertEquals(Status.Code.DATA_LOSS, failure(Status.Code.DATA_LOSS).code());
    assertInstanceOf(InternalException.class, failure(Status.Code.DATA_LOSS));
    assertInstanceOf(InternalException.class, failure(Status.Code.UNKNOWN));
  }

  @Test
  void detailsThatDoNotParseCountAsAbsent() {
    com.google.rpc.Status status =
        com.google.rpc.Status.newBuilder()
            .setCode(Status.Code.NOT_FOUND.value())
            .setMessage("gone")
            .addDetails(
                Any.newBuilder()
                    .setTypeUrl("type.googleapis.com/google.rpc.ErrorInfo")
                    .setValue(ByteString.copyFrom(new byte[] {10, 99})))
            .addDetails(Any.pack(ErrorInfo.newBuilder().setReason("RIGHT").build()))
            .build();
    assertEquals("RIGHT", Failures.of(StatusProto.toStatusRuntimeException(status)).reason());
    Metadata trailers = new Metadata();
    trailers.put(
        Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER),
        new byte[] {10, 99});
    ExecsvcException error = Failures.of(Status.NOT_FOUND.asRuntimeException(trailers));
    assertInstanceOf(NotFoundException.class, error);
    assertEquals("", error.reason());
  }

  @Test
  void causeIsToldWhereGrpcOnlySaysThatThereIsOne() {
    Status status =
        Status.UNAVAILABLE
            .withDescription("io exception")
            .withCause(new IOException("Connection refused: /127.0.0.1:1"));
    assertEquals(
        "io exception: Connection refused: /127.0.0.1:1",
        Failures.of(status.asRuntimeException()).description());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "RST_STREAM closed stream. HTTP/2 error code: INTERNAL_ERROR",
        "HTTP/2 error code: CANCEL\nReceived Rst Stream",
        "Connection closed after GOAWAY",
        "Encountered end-of-stream mid-frame"
      })
  void brokenConnectionIsToldFromARefusal(String text) {
    for (Status.Code code : List.of(Status.Code.INTERNAL, Status.Code.CANCELLED)) {
      Status status = code.toStatus().withDescription(text);
      assertTrue(Failures.isLostConnection(Failures.of(status.asRuntimeException())), text);
    }
  }

  @Test
  void callThatAServersCoreGaveUpIsUnavailability() {
    StatusRuntimeException said =
        Status.CANCELLED.withDescription("CANCELLED").asRuntimeException();
    ExecsvcException error = Failures.of(said);
    assertInstanceOf(UnavailableException.class, error);
    assertEquals(Status.Code.UNAVAILABLE, error.code());
    assertEquals("", error.reason());
    assertEquals(
        "the server gave the call up before it was read, as one does that closes or is overrun",
        error.description());
    assertSame(said, error.getCause());
    assertTrue(Failures.isCutOff(error));
    assertTrue(Failures.isLostConnection(error));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "cancelled",
        "the job was CANCELLED",
        "the caller gave up",
        "Channel shutdownNow invoked",
        "io.grpc.Context was cancelled without error"
      })
  void callThatSomebodyGaveUpStaysCancelled(String text) {
    ExecsvcException error =
        Failures.of(Status.CANCELLED.withDescription(text).asRuntimeException());
    assertInstanceOf(CancelledException.class, error);
    assertFalse(Failures.isCutOff(error));
    assertFalse(Failures.isLostConnection(error));
  }

  @Test
  void errorWithAReasonIsTheServersOwn() {
    com.google.rpc.Status status =
        com.google.rpc.Status.newBuilder()
            .setCode(Status.Code.CANCELLED.value())
            .setMessage("CANCELLED")
            .addDetails(Any.pack(ErrorInfo.newBuilder().setReason("RIGHT").build()))
            .build();
    ExecsvcException error = Failures.of(StatusProto.toStatusRuntimeException(status));
    assertInstanceOf(CancelledException.class, error);
    assertEquals("RIGHT", error.reason());
    assertFalse(Failures.isCutOff(Failures.of(Status.UNAVAILABLE.asRuntimeException())));
  }

  @Test
  void whatTheServerSaysIsNoLostConnection() {
    assertFalse(Failures.isLostConnection(failure(Status.Code.INTERNAL)));
    assertFalse(
        Failures.isLostConnection(
            failure(
                Status.Code.RESOURCE_EXHAUSTED,
                ErrorInfo.newBuilder().setReason("RST_STREAM").build())));
    assertFalse(Failures.isLostConnection(failure(Status.Code.NOT_FOUND)));
    assertTrue(Failures.isLostConnection(failure(Status.Code.UNAVAILABLE)));
    Status broken = Status.UNKNOWN.withCause(new IOException("Broken pipe"));
    assertTrue(Failures.isLostConnection(Failures.of(broken.asRuntimeException())));
  }

  @Test
  void exceptionOfOursStaysWhatItIs() {
    ExecsvcException error = Failures.closed();
    assertSame(error, Failures.of(error));
  }

  @Test
  void exceptionSurvivesSerialization() throws Exception {
    ExecsvcException error = Failures.unavailable("away");
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(error);
    }
    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      ExecsvcException read = (ExecsvcException) in.readObject();
      assertNotEquals(error, read);
      assertEquals("away", read.description());
      assertEquals("", read.reason());
    }
  }
}
