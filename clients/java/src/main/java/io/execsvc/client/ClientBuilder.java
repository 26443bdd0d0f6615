package io.execsvc.client;

import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannelBuilder;
import io.grpc.TlsChannelCredentials;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** Makes an {@link ExecutionClient}; without any setting for a server on this machine. */
public final class ClientBuilder {
  private String target = "127.0.0.1:50051";
  private ChannelCredentials credentials = InsecureChannelCredentials.create();
  private Supplier<String> token = () -> "";
  private Duration callTimeout = Duration.ofSeconds(30);
  private Duration reconnectTimeout = Duration.ofMinutes(5);
  private Consumer<ManagedChannelBuilder<?>> channel = builder -> {};

  ClientBuilder() {}

  /**
   * Sets where the server is.
   *
   * @param target host and port, or any other gRPC target; without, {@code 127.0.0.1:50051}
   * @return this
   */
  public ClientBuilder target(String target) {
    this.target = Objects.requireNonNull(target);
    return this;
  }

  /**
   * Connects with TLS, and trusts the authorities that Java trusts.
   *
   * @return this
   */
  public ClientBuilder tls() {
    return credentials(TlsChannelCredentials.create());
  }

  /**
   * Connects with TLS, and trusts the authorities of a file.
   *
   * @param authorities certificates in PEM
   * @return this
   * @throws UncheckedIOException if the file cannot be read
   */
  public ClientBuilder tls(Path authorities) {
    try (InputStream file = Files.newInputStream(authorities)) {
      return tls(file);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /**
   * Connects with TLS, and trusts the authorities of a stream, which is read to its end.
   *
   * @param authorities certificates in PEM
   * @return this
   * @throws UncheckedIOException if it cannot be read
   */
  public ClientBuilder tls(InputStream authorities) {
    try {
      return credentials(TlsChannelCredentials.newBuilder().trustManager(authorities).build());
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /**
   * Sets gRPC credentials, for whatever {@code tls} does not do, such as a certificate of the
   * client.
   *
   * @param credentials from {@link TlsChannelCredentials#newBuilder()}, for example
   * @return this
   */
  public ClientBuilder credentials(ChannelCredentials credentials) {
    this.credentials = Objects.requireNonNull(credentials);
    return this;
  }

  /**
   * Sends a token with every call, as {@code authorization: Bearer …}. Use it with TLS only.
   *
   * @param token the token; empty: none
   * @return this
   */
  public ClientBuilder token(String token) {
    Objects.requireNonNull(token);
    return token(() -> token);
  }

  /**
   * Sends a token with every call, asked for anew each time. Use it with TLS only.
   *
   * @param token must answer soon, from whichever thread it is asked; what it throws ends the call
   * @return this
   */
  public ClientBuilder token(Supplier<String> token) {
    this.token = Objects.requireNonNull(token);
    return this;
  }

  /**
   * Sets how long a call may take, repeats included. Streams and {@code waitFor} have no such
   * limit.
   *
   * @param timeout without, 30 s
   * @return this
   */
  public ClientBuilder callTimeout(Duration timeout) {
    this.callTimeout = Objects.requireNonNull(timeout);
    return this;
  }

  /**
   * Sets how long {@code logs}, {@code watch} and {@code waitFor} go on trying to reach the server
   * without hearing from it.
   *
   * @param timeout null: for ever; without, five minutes
   * @return this
   */
  public ClientBuilder reconnectTimeout(Duration timeout) {
    this.reconnectTimeout = timeout;
    return this;
  }

  /**
   * Changes the channel before it is built, for whatever has no setting here: interceptors, {@code
   * overrideAuthority} where the certificate names another host, and the like.
   *
   * @param change is given the builder with everything set
   * @return this
   */
  public ClientBuilder channel(Consumer<ManagedChannelBuilder<?>> change) {
    this.channel = channel.andThen(change);
    return this;
  }

  /**
   * Makes the client; the connection is opened by the first call and again whenever it breaks.
   *
   * @return the client, to be closed
   */
  public ExecutionClient build() {
    ManagedChannelBuilder<?> builder = Grpc.newChannelBuilder(target, credentials);
    Connection.configure(builder);
    channel.accept(builder);
    OptionalLong giveUpAfter =
        reconnectTimeout == null
            ? OptionalLong.empty()
            : OptionalLong.of(Timing.nanos(reconnectTimeout));
    return new ExecutionClient(
        new Caller(
            new Connection(builder, token), Timing.SYSTEM, Timing.nanos(callTimeout), giveUpAfter));
  }
}
