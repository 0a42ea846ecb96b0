import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * When this process began. The Java machine itself takes tens of milliseconds to come up, and under load far more, so its
 * first instruction would be too late. The kernel knows better, to a hundredth of a second: it is asked for the start of
 * the main thread, which the launcher makes first of all; the process as such is older, since a container engine makes it
 * and then prepares the container before it lets it run Java.
 */
final class ProcessStart {
    // USER_HZ, which Linux fixes at 100 for everything it shows in /proc on the processors Java runs on.
    private static final long TICK_MS = 10;
    // No process takes this long to get here: then /proc/uptime speaks of another clock (some containers replace it).
    private static final long IMPLAUSIBLE_MS = 60_000;

    private ProcessStart() {}

    /** Unix time in milliseconds; the present where /proc does not tell. To be called on the main thread. */
    static long unixMillis() {
        long now = System.currentTimeMillis();
        try {
            // The name in parentheses may hold spaces; what follows it is fields 3, 4, ... and the start is field 22.
            String stat = Files.readString(Path.of("/proc/thread-self/stat"));
            String ticks = stat.substring(stat.lastIndexOf(')') + 2).split(" ")[19];
            String uptime = Files.readString(Path.of("/proc/uptime")).split(" ")[0];
            long age = Math.round(Double.parseDouble(uptime) * 1000) - Long.parseLong(ticks) * TICK_MS;
            return age >= 0 && age < IMPLAUSIBLE_MS ? now - age : now;
        } catch (IOException | RuntimeException e) {
            return now;
        }
    }
}
