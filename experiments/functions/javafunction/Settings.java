/** Settings from the environment. */
final class Settings {
    private Settings() {}

    static String text(String name, String fallback) {
        String found = System.getenv(name);
        return found == null || found.isEmpty() ? fallback : found;
    }

    /** @throws IllegalArgumentException with one line that names the variable, what was found and what is allowed */
    static long integer(String name, long fallback, long min, long max) {
        String found = text(name, "");
        if (found.isEmpty()) {
            return fallback;
        }
        try {
            long value = Long.parseLong(found);
            if (value >= min && value <= max) {
                return value;
            }
        } catch (NumberFormatException e) {
            // Falls through to the same line as a number out of range.
        }
        throw new IllegalArgumentException("environment: " + name + ": found " + found
                + ", allowed: a whole number from " + min + " to " + max);
    }
}
