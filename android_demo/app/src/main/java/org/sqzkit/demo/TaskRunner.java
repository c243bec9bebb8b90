package org.sqzkit.demo;

import android.os.Handler;
import android.os.Looper;
import android.os.SystemClock;
import java.io.Closeable;
import java.io.IOException;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * Runs work off the main thread, each task on a thread of its own.
 *
 * <p>Whatever a task throws becomes an {@link AppError}, so no task can end the app. A task that
 * gets no further within its limit is cancelled and given up; its thread cannot be killed, so after
 * {@link #MAX_STUCK} such threads new tasks are refused until one of them returns.
 */
final class TaskRunner {
    static final int MAX_STUCK = 8;

    private final Handler main = new Handler(Looper.getMainLooper());
    private final ExecutorService threads =
            Executors.newCachedThreadPool(work -> new Thread(work, "task"));
    private final Set<Task> active = new HashSet<>();
    private int stuck;

    /** Work that returns a value, or throws what the user is told. */
    interface Work<T> {
        T run(Task task) throws Exception;
    }

    /**
     * Starts work.
     *
     * @param limitMillis how long it may take without calling {@link Task#progress}
     * @param done gets the value on the main thread, unless the task was cancelled
     * @param failed gets the error on the main thread, unless the task was cancelled
     */
    <T> Task start(long limitMillis, Work<T> work, Consumer<T> done, Consumer<AppError> failed) {
        Task task = new Task();
        synchronized (active) {
            if (stuck >= MAX_STUCK) {
                main.post(() -> failed.accept(new AppError(R.string.error_busy)));
                return task;
            }
            active.add(task);
        }
        watch(task, limitMillis, limitMillis, failed);
        threads.execute(() -> run(task, work, done, failed));
        return task;
    }

    private <T> void run(Task task, Work<T> work, Consumer<T> done, Consumer<AppError> failed) {
        T value = null;
        AppError error = null;
        try {
            value = work.run(task);
        } catch (Throwable thrown) {
            // StackOverflowError and OutOfMemoryError too: hostile files cause both.
            error = AppError.of(thrown);
        }
        deliver(task, value, error, done, failed);
        synchronized (active) {
            if (!active.remove(task)) {
                stuck--;
            }
            active.notifyAll();
        }
    }

    private <T> void deliver(Task task, T value, AppError error, Consumer<T> done,
            Consumer<AppError> failed) {
        main.post(() -> {
            if (task.cancelled()) {
                close(value);
            } else if (error != null) {
                failed.accept(error);
            } else {
                done.accept(value);
            }
        });
    }

    /** Runs {@code update} on the main thread, unless {@code task} is cancelled before. */
    void post(Task task, Runnable update) {
        main.post(() -> {
            if (!task.cancelled()) {
                update.run();
            }
        });
    }

    /** Cancels a task, which may be null; its thread counts as stuck until it returns. */
    void cancel(Task task) {
        if (task == null) {
            return;
        }
        synchronized (active) {
            if (active.remove(task)) {
                stuck++;
                active.notifyAll();
            }
        }
        task.cancel();
        threads.execute(task::interrupt); // closing a stream of another app may block, too
    }

    private boolean running(Task task) {
        synchronized (active) {
            return active.contains(task);
        }
    }

    /** Gives a task up once it has been without progress for {@code limit} milliseconds. */
    private void watch(Task task, long delay, long limit, Consumer<AppError> failed) {
        main.postDelayed(() -> {
            long left = task.lastProgress() + limit - SystemClock.uptimeMillis();
            if (!running(task)) {
                return;
            }
            if (left > 0) {
                watch(task, left, limit, failed);
            } else {
                cancel(task);
                failed.accept(new AppError(R.string.error_timeout));
            }
        }, delay);
    }

    private static void close(Object value) {
        if (value instanceof Closeable) {
            try {
                ((Closeable) value).close();
            } catch (IOException e) {
                // Nobody waits for the value of a cancelled task.
            }
        }
    }

    /** Waits until no task is running, for tests; cancelled ones do not count. */
    boolean awaitIdle(long time, TimeUnit unit) throws InterruptedException {
        return await(active::isEmpty, time, unit);
    }

    /** Waits until cancelled tasks have returned, too, for tests. */
    boolean awaitReturned(long time, TimeUnit unit) throws InterruptedException {
        return await(() -> active.isEmpty() && stuck == 0, time, unit);
    }

    private boolean await(BooleanSupplier done, long time, TimeUnit unit) throws InterruptedException {
        long end = System.nanoTime() + unit.toNanos(time);
        synchronized (active) {
            while (!done.getAsBoolean()) {
                long left = end - System.nanoTime();
                if (left <= 0) {
                    return false;
                }
                TimeUnit.NANOSECONDS.timedWait(active, left);
            }
            return true;
        }
    }
}
