/** Counts the requests that are being served, so that the end can wait for them. */
final class InFlight {
    private int requests;
    private volatile boolean closing;

    synchronized void begin() {
        requests++;
    }

    synchronized void end() {
        requests--;
        if (requests == 0) {
            notifyAll();
        }
    }

    synchronized void awaitNone() throws InterruptedException {
        while (requests > 0) {
            wait();
        }
    }

    /** From now on responses say that their connection closes. */
    void closeAfterwards() {
        closing = true;
    }

    boolean closing() {
        return closing;
    }
}
