package io.execsvc.scenarios;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Map;

/** The lab: where scenarios come from, and what starts and ends servers. */
final class Lab {
  private final HttpClient http = HttpClient.newHttpClient();
  private final String address;

  Lab(String address) {
    this.address = address.replaceFirst("/$", "");
  }

  Object get(String path) throws IOException, InterruptedException {
    return send(HttpRequest.newBuilder(URI.create(address + path)).build());
  }

  Object post(String path, Object body) throws IOException, InterruptedException {
    HttpRequest.BodyPublisher content =
        HttpRequest.BodyPublishers.ofString(Json.write(body == null ? Map.of() : body));
    return send(
        HttpRequest.newBuilder(URI.create(address + path))
            .header("content-type", "application/json")
            .POST(content)
            .build());
  }

  private Object send(HttpRequest request) throws IOException, InterruptedException {
    HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
    if (response.statusCode() >= 400) {
      throw new IOException(
          "the lab answered "
              + response.statusCode()
              + " to "
              + request.uri()
              + ": "
              + response.body());
    }
    return Json.parse(response.body());
  }
}
