package io.execsvc.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class RepeatPolicyTest {
  private static final OptionalLong NONE = OptionalLong.empty();

  private final ExecsvcException away = Failures.unavailable("away");

  // Where a nanosecond clock begins is nobody's business: it may be about to overflow.
  private long now = Long.MAX_VALUE - 1000;
  private final Timing timing = new Timing(() -> now, () -> 1.0);

  private static long millis(long number) {
    return Duration.ofMillis(number).toNanos();
  }

  private Reconnect reconnect(OptionalLong giveUpAfter, OptionalLong deadline) {
    return new Reconnect(timing, giveUpAfter, deadline, NONE);
  }

  @Test
  void callIsRepeatedFourTimesWithGrowingWaits() {
    CallRetry retry = new CallRetry(timing, Repeats.BY_CLIENT, now + millis(30_000));
    for (long wait : new long[] {100, 200, 400, 800}) {
      assertEquals(millis(wait), retry.delayAfter(away));
    }
    assertSame(away, assertThrows(ExecsvcException.class, () -> retry.delayAfter(away)));
  }

  @Test
  void onlyUnavailabilityIsRepeatedAndOnlyWhereThatIsSafe() {
    CallRetry unsafe = new CallRetry(timing, Repeats.NEVER, now + millis(30_000));
    assertThrows(UnavailableException.class, () -> unsafe.delayAfter(away));
    CallRetry safe = new CallRetry(timing, Repeats.BY_CLIENT, now + millis(30_000));
    ExecsvcException late = Failures.late("late", null);
    assertThrows(DeadlineExceededException.class, () -> safe.delayAfter(late));
  }

  @Test
  void whatGrpcRepeatsIsRepeatedHereOnlyWhereTheServersCoreGaveItUp() {
    ExecsvcException cutOff =
        Failures.of(Status.CANCELLED.withDescription("CANCELLED").asRuntimeException());
    for (Repeats repeats : List.of(Repeats.BY_GRPC, Repeats.BY_CLIENT)) {
      CallRetry retry = new CallRetry(timing, repeats, now + millis(30_000));
      for (long wait : new long[] {100, 200, 400, 800}) {
        assertEquals(millis(wait), retry.delayAfter(cutOff));
      }
      assertSame(cutOff, assertThrows(ExecsvcException.class, () -> retry.delayAfter(cutOff)));
    }
    CallRetry byGrpc = new CallRetry(timing, Repeats.BY_GRPC, now + millis(30_000));
    assertThrows(UnavailableException.class, () -> byGrpc.delayAfter(away));
    CallRetry never = new CallRetry(timing, Repeats.NEVER, now + millis(30_000));
    assertThrows(UnavailableException.class, () -> never.delayAfter(cutOff));
  }

  @Test
  void callIsNotRepeatedPastItsDeadline() {
    CallRetry retry = new CallRetry(timing, Repeats.BY_CLIENT, now + millis(250));
    assertEquals(millis(250), retry.callTimeout());
    assertEquals(millis(100), retry.delayAfter(away));
    now += millis(100);
    assertThrows(UnavailableException.class, () -> retry.delayAfter(away));
    now += millis(1000);
    assertEquals(0, retry.callTimeout());
  }

  @Test
  void streamGivesUpAfterAnOutageOfSomeLength() {
    Reconnect policy = reconnect(OptionalLong.of(millis(1000)), NONE);
    assertEquals(millis(100), policy.delayAfter(away));
    now += millis(900);
    assertEquals(millis(100), policy.delayAfter(away), "a last attempt right at the end");
    now += millis(100);
    assertSame(away, assertThrows(ExecsvcException.class, () -> policy.delayAfter(away)));
  }

  @Test
  void anyAnswerEndsAnOutage() {
    Reconnect policy = reconnect(OptionalLong.of(millis(1000)), NONE);
    policy.delayAfter(away);
    now += millis(900);
    policy.progress(false);
    now += millis(900);
    assertEquals(millis(200), policy.delayAfter(away));
  }

  @Test
  void onlyNewsLetWaitsStartSmallAgain() {
    Reconnect policy = reconnect(NONE, NONE);
    assertEquals(millis(100), policy.delayAfter(away));
    policy.progress(false);
    assertEquals(millis(200), policy.delayAfter(away));
    policy.progress(true);
    assertEquals(millis(100), policy.delayAfter(away));
  }

  @Test
  void waitsGrowToFiveSecondsAndStay() {
    Reconnect policy = reconnect(NONE, NONE);
    long last = 0;
    for (int attempt = 0; attempt < 100; attempt++) {
      last = policy.delayAfter(away);
    }
    assertEquals(millis(5000), last);
  }

  @Test
  void refusalIsNotRepeated() {
    Reconnect policy = reconnect(NONE, NONE);
    ExecsvcException refusal = Failures.closed();
    assertSame(refusal, assertThrows(ExecsvcException.class, () -> policy.delayAfter(refusal)));
  }

  @Test
  void deadlineEndsAStream() {
    Reconnect policy = reconnect(NONE, OptionalLong.of(now + millis(50)));
    assertEquals(millis(50), policy.callTimeout());
    assertEquals(millis(50), policy.delayAfter(away));
    now += millis(50);
    assertEquals(0, policy.callTimeout());
    assertThrows(DeadlineExceededException.class, () -> policy.delayAfter(away));
  }

  @Test
  void endlessSpansDoNotOverflow() {
    Reconnect policy =
        reconnect(NONE, OptionalLong.of(now + Timing.nanos(Duration.ofSeconds(Long.MAX_VALUE))));
    assertEquals(Timing.nanos(Duration.ofSeconds(Long.MAX_VALUE)), policy.callTimeout());
  }
}
