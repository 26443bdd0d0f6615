package io.execsvc.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.execsvc.v1.ControlRequest;
import io.execsvc.v1.ExecuteRequest;
import io.execsvc.v1.ExecutionServiceGrpc;
import io.execsvc.v1.ExecutionState;
import io.execsvc.v1.GetStatusRequest;
import io.execsvc.v1.LogEntry;
import io.execsvc.v1.StreamLogsRequest;
import io.execsvc.v1.StreamLogsResponse;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ClientTest {
  private static final Definition DEFINITION =
      Definition.of(Map.of("nodes", List.of(Map.of("id", "o", "type", "output"))));

  /** What a server's gRPC core says of a call that it hands to nobody. */
  private static final Status CUT_OFF = Status.CANCELLED.withDescription("CANCELLED");

  private ScriptedServer server;
  private ExecutionClient client;

  @BeforeEach
  void connect() throws Exception {
    server = new ScriptedServer(0);
    client = server.client().build();
  }

  @AfterEach
  void close() throws Exception {
    client.close();
    server.close();
  }

  private static StreamLogsResponse entries(long... sequences) {
    StreamLogsResponse.Builder response = StreamLogsResponse.newBuilder().setUid("u1");
    for (long sequence : sequences) {
      response.addEntries(LogEntry.newBuilder().setSequence(sequence)).setLastSequence(sequence);
    }
    return response.build();
  }

  private static StreamLogsResponse last(long sequence) {
    StreamLogsResponse.Builder response = entries(sequence).toBuilder();
    response.getFinalStatusBuilder().setState(ExecutionState.EXECUTION_STATE_COMPLETED);
    return response.build();
  }

  private static <T> Throwable failure(CompletableFuture<T> future) {
    return assertThrows(ExecutionException.class, future::get).getCause();
  }

  /** Writes two entries, breaks the connection, and writes the rest, one of them again. */
  private CompletableFuture<Void> brokenOnce(Status how) {
    return CompletableFuture.runAsync(
        () -> {
          try {
            StreamObserver<StreamLogsResponse> first = server.logs.take();
            first.onNext(entries(1, 2));
            first.onError(how.asRuntimeException());
            StreamObserver<StreamLogsResponse> second = server.logs.take();
            second.onNext(entries(2, 3));
            second.onNext(last(4));
            second.onCompleted();
          } catch (InterruptedException error) {
            throw new IllegalStateException(error);
          }
        });
  }

  @Test
  void brokenLogGoesOnAtItsCursor() {
    CompletableFuture<Void> script = brokenOnce(Status.UNAVAILABLE);
    List<Long> read = new ArrayList<>();
    try (LogStream log = client.logs("x", options -> options.follow(true))) {
      log.forEach(entry -> read.add(entry.sequence()));
      assertEquals(List.of(1L, 2L, 3L, 4L), read);
      assertEquals(4, log.lastSequence());
      assertEquals(
          io.execsvc.client.ExecutionState.COMPLETED, log.finalStatus().orElseThrow().state());
    }
    script.join();
    StreamLogsRequest again = (StreamLogsRequest) server.requests.get(1);
    assertEquals(2, again.getAfterSequence());
    assertEquals("u1", again.getUid());
  }

  @Test
  void brokenSubscriptionGoesOnAtItsCursor() throws Exception {
    CompletableFuture<Void> script = brokenOnce(Status.UNAVAILABLE);
    List<Long> read = new ArrayList<>();
    LogSubscription log =
        client
            .async()
            .logs("x", options -> options.follow(true), entry -> read.add(entry.sequence()));
    assertEquals(io.execsvc.client.ExecutionState.COMPLETED, log.end().get().state());
    assertEquals(List.of(1L, 2L, 3L, 4L), read);
    assertEquals(4, log.lastSequence());
    assertEquals("u1", log.uid());
    script.join();
  }

  @Test
  void refusedLogIsNotOpenedAgain() {
    brokenOnce(Status.OUT_OF_RANGE);
    try (LogStream log = client.logs("x", options -> options.follow(true))) {
      Iterator<io.execsvc.client.LogEntry> entries = log.iterator();
      entries.next();
      entries.next();
      assertThrows(OutOfRangeException.class, entries::hasNext);
    }
    assertEquals(1, server.requests.size());
  }

  @Test
  void streamThatIsLeftFreesTheServer() throws Exception {
    CompletableFuture<Void> script =
        CompletableFuture.runAsync(() -> server.logs.poll().onNext(entries(1)), openLog());
    try (LogStream log = client.logs("x", options -> options.follow(true))) {
      assertEquals(1, log.iterator().next().sequence());
    }
    assertTrue(server.cancelled.await(30, TimeUnit.SECONDS));
    script.join();
  }

  /** Runs what it is given once a log is open. */
  private java.util.concurrent.Executor openLog() {
    return work ->
        new Thread(
                () -> {
                  while (server.logs.isEmpty()) {
                    Thread.onSpinWait();
                  }
                  work.run();
                })
            .start();
  }

  @Test
  void closeFromAnotherThreadEndsABlockedRead() throws Exception {
    LogStream log = client.logs("x", options -> options.follow(true));
    CompletableFuture.runAsync(log::close, openLog());
    assertFalse(log.iterator().hasNext());
    assertTrue(server.cancelled.await(30, TimeUnit.SECONDS));
  }

  @Test
  void interruptEndsABlockedReadAndTheStreamCanBeReadOn() throws Exception {
    LogStream log = client.logs("x", options -> options.follow(true));
    Thread reader = Thread.currentThread();
    CompletableFuture.runAsync(reader::interrupt, openLog());
    assertThrows(CancelledException.class, () -> log.iterator().hasNext());
    assertTrue(Thread.interrupted());
    assertTrue(server.cancelled.await(30, TimeUnit.SECONDS));
    server.logs.take();
    CompletableFuture.runAsync(() -> server.logs.peek().onNext(entries(1)), openLog());
    assertEquals(1, log.iterator().next().sequence());
    log.close();
  }

  @Test
  void closedClientEndsItsStreams() {
    LogStream log = client.logs("x", options -> options.follow(true));
    CompletableFuture.runAsync(client::close, openLog());
    assertThrows(CancelledException.class, () -> log.iterator().hasNext());
  }

  @Test
  void closedClientCallsNothing() {
    client.close();
    client.close();
    assertThrows(CancelledException.class, () -> client.status("x"));
  }

  @Test
  void closeEndsACallUnderWay() {
    server.silent = true;
    CompletableFuture<ExecutionStatus> status = client.async().status("x");
    while (server.requests.isEmpty()) {
      Thread.onSpinWait();
    }
    client.close();
    assertInstanceOf(CancelledException.class, failure(status));
  }

  @Test
  void cancelledFutureFreesTheServer() throws Exception {
    server.silent = true;
    CompletableFuture<ExecutionStatus> status = client.async().status("x");
    while (server.requests.isEmpty()) {
      Thread.onSpinWait();
    }
    status.cancel(true);
    assertTrue(server.cancelled.await(30, TimeUnit.SECONDS));
  }

  @Test
  void closedSubscriptionFreesTheServer() throws Exception {
    LogSubscription log = client.async().logs("x", options -> options.follow(true), entry -> {});
    server.logs.take();
    log.close();
    assertTrue(server.cancelled.await(30, TimeUnit.SECONDS));
    assertTrue(log.end().isCancelled());
  }

  @Test
  void whatAConsumerThrowsEndsTheStream() throws Exception {
    IllegalStateException enough = new IllegalStateException("enough");
    LogSubscription log =
        client
            .async()
            .logs(
                "x",
                options -> options.follow(true),
                entry -> {
                  throw enough;
                });
    server.logs.take().onNext(entries(1));
    assertSame(enough, failure(log.end()));
    assertTrue(server.cancelled.await(30, TimeUnit.SECONDS));
  }

  @Test
  void cancelledWaitFreesTheServer() throws Exception {
    CompletableFuture<Execution> end = client.async().waitFor("x");
    server.logs.take();
    end.cancel(true);
    assertTrue(server.cancelled.await(30, TimeUnit.SECONDS));
  }

  @Test
  void waitEndsAfterItsTimeout() {
    DeadlineExceededException error =
        assertThrows(
            DeadlineExceededException.class, () -> client.waitFor("x", Duration.ofMillis(50)));
    assertEquals("execution 'x' had not ended after 0.05 s", error.description());
  }

  @Test
  void callEndsAfterItsTimeout() {
    server.silent = true;
    try (ExecutionClient hasty = server.client().callTimeout(Duration.ofMillis(50)).build()) {
      assertThrows(DeadlineExceededException.class, () -> hasty.status("x"));
    }
  }

  @Test
  void executeIsRepeatedWithTheSameIdThatItWasGiven() {
    server.failures.addAll(List.of(Status.UNAVAILABLE, Status.UNAVAILABLE));
    client.execute(DEFINITION, Map.of());
    List<String> ids =
        server.requests.stream()
            .map(request -> ((ExecuteRequest) request).getExecutionId())
            .toList();
    assertEquals(3, ids.size());
    assertFalse(ids.get(0).isEmpty());
    assertEquals(1, ids.stream().distinct().count());
  }

  @Test
  void controlIsRepeatedWithTheSameRequestId() {
    server.failures.add(Status.UNAVAILABLE);
    client.pause("x");
    assertEquals(2, server.requests.size());
    assertFalse(((ControlRequest) server.requests.get(0)).getRequestId().isEmpty());
    assertEquals(server.requests.get(0), server.requests.get(1));
  }

  @Test
  void safeCallIsRepeatedByGrpc() {
    server.failures.addAll(List.of(Status.UNAVAILABLE, Status.UNAVAILABLE));
    client.status("x");
    assertEquals(3, server.requests.size());
  }

  @Test
  void callThatTheServersCoreGaveUpIsRepeatedWhereThatIsSafe() {
    for (Runnable call :
        List.<Runnable>of(
            () -> client.execute(DEFINITION, Map.of()),
            () -> client.pause("x"),
            () -> client.status("x"))) {
      server.requests.clear();
      server.failures.addAll(List.of(CUT_OFF, CUT_OFF));
      call.run();
      assertEquals(3, server.requests.size());
      assertEquals(1, server.requests.stream().distinct().count());
    }
    server.requests.clear();
    server.failures.add(CUT_OFF);
    assertThrows(UnavailableException.class, () -> client.delete("x"));
    assertEquals(1, server.requests.size());
  }

  @Test
  void callThatTheServersCoreGivesUpEachTimeSaysSo() {
    server.failures.addAll(Collections.nCopies(10, CUT_OFF));
    UnavailableException error = assertThrows(UnavailableException.class, () -> client.status("x"));
    assertTrue(error.description().contains("gave the call up"), error.description());
    assertEquals(Status.Code.CANCELLED, Status.fromThrowable(error.getCause()).getCode());
    assertEquals(5, server.requests.size());
  }

  @Test
  void logGoesOnWhereTheServersCoreGaveItUp() throws Exception {
    CompletableFuture<Void> script = brokenOnce(CUT_OFF);
    List<Long> read = new ArrayList<>();
    try (LogStream log = client.logs("x", options -> options.follow(true))) {
      log.forEach(entry -> read.add(entry.sequence()));
    }
    script.join();
    CompletableFuture<Void> again = brokenOnce(CUT_OFF);
    LogSubscription log =
        client
            .async()
            .logs("x", options -> options.follow(true), entry -> read.add(entry.sequence()));
    log.end().get();
    again.join();
    assertEquals(List.of(1L, 2L, 3L, 4L, 1L, 2L, 3L, 4L), read);
    assertEquals(4, server.requests.size());
  }

  @Test
  void deleteIsNotRepeated() {
    server.failures.add(Status.UNAVAILABLE);
    assertThrows(UnavailableException.class, () -> client.delete("x"));
    assertEquals(1, server.requests.size());
  }

  /** Accepts connections and drops them at once; counts them down. */
  private static CountDownLatch dropping(ServerSocket socket, int connections) {
    CountDownLatch left = new CountDownLatch(connections);
    Thread thread =
        new Thread(
            () -> {
              try {
                while (true) {
                  socket.accept().close();
                  left.countDown();
                }
              } catch (IOException closed) {
                return;
              }
            });
    thread.setDaemon(true);
    thread.start();
    return left;
  }

  @Test
  void serverThatIsAwayIsLookedForMoreOftenThanGrpcWould() throws Exception {
    try (ServerSocket ours = new ServerSocket(0);
        ServerSocket theirs = new ServerSocket(0);
        ExecutionClient away = ExecutionClient.connect("127.0.0.1:" + ours.getLocalPort())) {
      CountDownLatch dialled = dropping(ours, 5);
      CountDownLatch dialledByGrpc = dropping(theirs, 3);
      ManagedChannel plain =
          Grpc.newChannelBuilder(
                  "127.0.0.1:" + theirs.getLocalPort(), InsecureChannelCredentials.create())
              .build();
      plain.getState(true);
      assertThrows(UnavailableException.class, () -> away.delete("x"));
      dialled.await();
      assertTrue(dialledByGrpc.getCount() > 0);
      plain.shutdownNow();
    }
  }

  @Test
  void tokenIsAskedForEachCall() {
    AtomicInteger asked = new AtomicInteger();
    try (ExecutionClient known =
        server.client().token(() -> "t" + asked.incrementAndGet()).build()) {
      known.status("x");
      known.status("x");
      ExecutionServiceGrpc.newBlockingStub(known.channel())
          .getStatus(GetStatusRequest.getDefaultInstance());
    }
    client.status("x");
    assertEquals(List.of("Bearer t1", "Bearer t2", "Bearer t3", "null"), server.tokens);
  }

  @Test
  void whatTheTokensSupplierThrowsEndsTheCall() {
    IllegalStateException broken = new IllegalStateException("no token");
    try (ExecutionClient known =
        server
            .client()
            .token(
                () -> {
                  throw broken;
                })
            .build()) {
      assertSame(broken, assertThrows(IllegalStateException.class, () -> known.status("x")));
      assertThrows(IllegalStateException.class, () -> known.logs("x").iterator().hasNext());
      assertSame(broken, failure(known.async().waitFor("x")));
    }
    assertEquals(List.of(), server.requests);
  }

  @Test
  void requestThatIsTooLargeIsNotSent() {
    Map<String, Object> input = Map.of("text", "x".repeat(33 * 1024 * 1024));
    assertThrows(ResourceExhaustedException.class, () -> client.execute(DEFINITION, input));
    assertEquals(List.of(), server.requests);
  }

  @Test
  void exceptionSaysWhoCalled() {
    server.failures.add(Status.NOT_FOUND);
    NotFoundException error = assertThrows(NotFoundException.class, () -> client.status("x"));
    assertTrue(
        List.of(error.getStackTrace()).stream()
            .anyMatch(frame -> frame.getClassName().equals(ClientTest.class.getName())));
  }

  @Test
  void wrongArgumentsAreRefusedBeforeAnythingIsSent() {
    InvalidArgumentException error =
        assertThrows(
            InvalidArgumentException.class,
            () ->
                client.execute(
                    DEFINITION, Map.of("n", Double.NaN), options -> options.timeout("soon")));
    assertEquals(
        List.of("input.n", "timeout"),
        error.fieldViolations().stream().map(Problem::path).toList());
    assertThrows(InvalidArgumentException.class, () -> client.status("\ud800"));
    assertInstanceOf(InvalidArgumentException.class, failure(client.async().status("\ud800")));
    assertInstanceOf(InvalidArgumentException.class, failure(client.async().waitFor("\ud800")));
    assertEquals(List.of(), server.requests);
  }

  @Test
  void fieldThatThisClientHasNoMethodForCanBeSet() {
    client.execute(
        DEFINITION, Map.of(), options -> options.set("priority", 7).set("workflowId", "w"));
    ExecuteRequest request = (ExecuteRequest) server.requests.get(0);
    assertEquals(7, request.getPriority());
    assertEquals("w", request.getWorkflowId());
    assertThrows(
        InvalidArgumentException.class,
        () -> client.execute(DEFINITION, Map.of(), options -> options.set("priorty", 7)));
  }
}
