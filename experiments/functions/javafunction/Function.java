import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/** Any path greets; /_/health says that the function can serve. */
final class Function implements HttpHandler {
    private static final byte[] HELLO = bytes("Hello From Java Serverless Function");
    private static final byte[] HEALTHY = bytes("OK\n");
    // How much more of a body that is too large is read, so that the client gets to see the answer.
    private static final long DISCARD = 16 << 20;
    private static final String TEXT = "text/plain; charset=utf-8";

    private final String replica;
    private final String startedAt;
    private final long maxBody;
    private final byte[] tooLarge;
    private final InFlight inFlight;

    Function(String replica, long startedAt, long maxBody, InFlight inFlight) {
        this.replica = replica;
        this.startedAt = Long.toString(startedAt);
        this.maxBody = maxBody;
        this.tooLarge = bytes("{\"error\":\"the body is larger than " + maxBody + " bytes (max_body_bytes)\"}");
        this.inFlight = inFlight;
    }

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        inFlight.begin();
        try (exchange) {
            if ("/_/health".equals(exchange.getRequestURI().getPath())) {
                reply(exchange, 200, TEXT, HEALTHY);
            } else if (endsWithin(exchange.getRequestBody(), maxBody)) {
                reply(exchange, 200, TEXT, HELLO);
            } else {
                exchange.getResponseHeaders().set("Connection", "close");
                reply(exchange, 413, "application/json", tooLarge);
                // To close now, with bytes unread, would reset the connection and could take the answer with it.
                endsWithin(exchange.getRequestBody(), DISCARD);
            }
        } finally {
            inFlight.end();
        }
    }

    /** Reads the body to its end, or to the first byte beyond the limit. */
    private static boolean endsWithin(InputStream body, long limit) throws IOException {
        byte[] buffer = new byte[8192];
        long size = 0;
        for (int n = body.read(buffer); n >= 0; n = body.read(buffer)) {
            size += n;
            if (size > limit) {
                return false;
            }
        }
        return true;
    }

    private void reply(HttpExchange exchange, int status, String type, byte[] body) throws IOException {
        Headers headers = exchange.getResponseHeaders();
        headers.set("Content-Type", type);
        headers.set("X-Replica-Id", replica);
        headers.set("X-Replica-Start-Time", startedAt);
        if (inFlight.closing()) {
            headers.set("Connection", "close");
        }
        if ("HEAD".equals(exchange.getRequestMethod())) {
            headers.set("Content-Length", Integer.toString(body.length));
            exchange.sendResponseHeaders(status, -1);
            return;
        }
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
        exchange.getResponseBody().flush();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
