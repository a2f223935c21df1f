// SPDX-License-Identifier: MIT
// Java's ArrayBlockingQueue, and a ForkJoinPool of two; asked by peer_process.c.
import java.util.Scanner;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinTask;

class PeerJava {
    static volatile boolean stop;
    static final Object ITEM = new Object(), END = new Object();
    static final ForkJoinPool POOL = new ForkJoinPool(2);

    static void put(ArrayBlockingQueue<Object> queue) {
        try {
            while (!stop)
                queue.put(ITEM);
            queue.put(END);
        } catch (InterruptedException e) {
            throw new RuntimeException(e);
        }
    }

    static void get(ArrayBlockingQueue<Object> queue, long[] taken, int index) {
        long ops = 0;
        try {
            while (queue.take() != END)
                ops += 1;
        } catch (InterruptedException e) {
            throw new RuntimeException(e);
        }
        taken[index] = ops;
    }

    static double rate(int capacity, int producers, int consumers, int ms) throws Exception {
        ArrayBlockingQueue<Object> queue = new ArrayBlockingQueue<>(capacity);
        long[] taken = new long[consumers];
        Thread[] threads = new Thread[producers + consumers];
        stop = false;
        long start = System.nanoTime(), total = 0;
        for (int i = 0; i < threads.length; ++i) {
            int consumer = i - producers;
            Runnable puts = () -> put(queue), gets = () -> get(queue, taken, consumer);
            threads[i] = new Thread(consumer < 0 ? puts : gets);
            threads[i].start();
        }
        Thread.sleep(ms);
        stop = true;
        for (Thread thread : threads)
            thread.join();
        long ns = System.nanoTime() - start;
        for (long ops : taken)
            total += ops;
        return total * 1e3 / ns;
    }

    static double pair(long n) throws Exception {
        ArrayBlockingQueue<Object> queue = new ArrayBlockingQueue<>(1024);
        long start = System.nanoTime();
        for (long i = 0; i < n; ++i) {
            queue.put(ITEM);
            queue.take();
        }
        return (double) (System.nanoTime() - start) / n;
    }

    static double tasks(int n) {
        ForkJoinTask<?>[] futures = new ForkJoinTask<?>[n];
        Runnable empty = () -> {};
        long start = System.nanoTime();
        for (int i = 0; i < n; ++i)
            futures[i] = POOL.submit(empty);
        for (ForkJoinTask<?> future : futures)
            future.join();
        return n * 1e3 / (System.nanoTime() - start);
    }

    public static void main(String[] args) throws Exception {
        Scanner in = new Scanner(System.in);
        while (in.hasNext()) {
            String what = in.next();
            if (what.equals("rate"))
                System.out.println(rate(in.nextInt(), in.nextInt(), in.nextInt(), in.nextInt()));
            else if (what.equals("tasks"))
                System.out.println(tasks(in.nextInt()));
            else
                System.out.println(pair(in.nextLong()));
        }
    }
}
