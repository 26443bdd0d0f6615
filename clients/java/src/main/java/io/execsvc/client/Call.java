package io.execsvc.client;

import com.google.protobuf.Message;
import io.grpc.MethodDescriptor;
import java.util.function.Function;

/**
 * One unary call.
 *
 * @param method what is called
 * @param request what is sent
 * @param answer makes the answer out of the response
 * @param repeats who repeats it while the server is unavailable
 */
record Call<Q extends Message, R extends Message, T>(
    MethodDescriptor<Q, R> method, Q request, Function<R, T> answer, Repeats repeats) {}
