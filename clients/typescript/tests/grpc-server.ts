// A gRPC server in the test's own process, for what no real server does on demand: to break, to hang, to speak TLS.

import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { v1 } from "../src/index.js";

export interface Serving {
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly listen?: { readonly port: number } | { readonly path: string };
}

export class GrpcServer {
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #sockets = new Set<Socket>();
  /** Sessions that clients have opened so far. */
  opened = 0;

  private constructor(private readonly server: Http2Server | Http2SecureServer) {
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => {});
    });
    server.on("session", (session) => {
      this.opened += 1;
      this.#sessions.add(session);
      session.on("close", () => this.#sessions.delete(session));
      session.on("error", () => {});
    });
  }

  static async start(routes: (router: ConnectRouter) => void, { tls, listen }: Serving = {}): Promise<GrpcServer> {
    const handler = connectNodeAdapter({ routes, connect: false, grpcWeb: false });
    const http = tls ? createSecureServer(tls, handler) : createServer(handler);
    const server = new GrpcServer(http);
    await new Promise<void>((resolve, reject) => {
      http.once("error", reject);
      http.listen(listen ?? { port: 0, host: "127.0.0.1" }, resolve);
    });
    return server;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get target(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Breaks every connection without a word, and takes no more. */
  async kill(): Promise<void> {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Asks clients to leave, as a server does that is about to stop. */
  goAway(): void {
    for (const session of this.#sessions) {
      session.goaway();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** Starts a server with some of the calls about executions. */
export async function serve(
  executions: Partial<ServiceImpl<typeof v1.ExecutionService>>,
  serving?: Serving,
): Promise<GrpcServer> {
  return await GrpcServer.start((router) => router.service(v1.ExecutionService, executions), serving);
}
