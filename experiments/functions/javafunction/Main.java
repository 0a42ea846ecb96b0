import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** Serves {@link Function} on $HOST:$PORT until SIGTERM, then lets the requests it holds finish. */
final class Main {
    // First of all, so that the replica's start is as near to the process's as it can be.
    private static final long STARTED = ProcessStart.unixMillis();

    // A handler waits only for a request's body; more threads than this would only wait for the processor.
    private static final int MAX_THREADS = 128;
    private static final int BACKLOG = 1024;
    // On SIGTERM, requests which are in the kernel's buffers already still get their answer.
    private static final long LINGER_MS = 50;

    public static void main(String[] args) {
        configure();
        try {
            start();
        } catch (IOException | IllegalArgumentException e) {
            System.err.println(e.getMessage());
            System.exit(1);
        }
    }

    /** The server reads these properties when its classes are loaded. */
    private static void configure() {
        System.setProperty("sun.net.httpserver.nodelay", "true");
        // Whoever keeps a pool of connections should be the one to close them: then none is closed under a request.
        System.setProperty("sun.net.httpserver.idleInterval", "300");
        System.setProperty("sun.net.httpserver.maxIdleConnections", "1000");
        // The longest that a request may take to arrive.
        System.setProperty("sun.net.httpserver.maxReqTime", "300");
    }

    private static void start() throws IOException {
        int port = (int) Settings.integer("PORT", 8080, 0, 65535);
        long maxBody = Settings.integer("max_body_bytes", 10L << 20, 0, Integer.MAX_VALUE - 8);
        HttpServer server;
        try {
            server = HttpServer.create(address(Settings.text("HOST", ""), port), BACKLOG);
        } catch (IOException e) {
            throw new IOException("can't listen on port " + port + ": " + e.getMessage(), e);
        }
        InFlight inFlight = new InFlight();
        server.createContext("/", new Function(replicaId(), STARTED, maxBody, inFlight));
        server.setExecutor(new ThreadPoolExecutor(
                0, MAX_THREADS, 30, TimeUnit.SECONDS, new SynchronousQueue<>(), new ThreadPoolExecutor.CallerRunsPolicy()));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> drain(server, inFlight)));
        server.start();
    }

    private static void drain(HttpServer server, InFlight inFlight) {
        inFlight.closeAfterwards();
        // stop() closes the listening socket at once, and then waits its whole time when nothing is being served. So it
        // waits aside, while we count the requests ourselves and stop for good when there are none.
        Thread stopping = new Thread(() -> server.stop(Integer.MAX_VALUE / 1000));
        stopping.setDaemon(true);
        stopping.start();
        try {
            Thread.sleep(LINGER_MS);
            inFlight.awaitNone();
            server.stop(0);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static InetSocketAddress address(String host, int port) throws IOException {
        if (host.isEmpty()) {
            return new InetSocketAddress(port);
        }
        return new InetSocketAddress(InetAddress.getByName(host), port);
    }

    private static String replicaId() {
        String id = Settings.text("REPLICA_ID", "");
        if (!id.isEmpty()) {
            return id;
        }
        try {
            // The kernel's word, as other languages report it; Java's own way would ask the name service.
            return Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
        } catch (IOException e) {
            return Settings.text("HOSTNAME", "unknown");
        }
    }
}
