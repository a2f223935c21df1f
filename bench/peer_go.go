// SPDX-License-Identifier: MIT
// Go's goroutines, and channels between them; asked by peer_process.c.
package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

func rate(capacity, producers, consumers, ms int) float64 {
	items := make([]byte, 4096)
	var end byte
	var stop int32
	var all sync.WaitGroup
	queue := make(chan *byte, capacity)
	taken := make([]int, consumers)
	all.Add(consumers)
	start := time.Now()
	for p := 0; p < producers; p++ {
		go func() {
			for i := 0; atomic.LoadInt32(&stop) == 0; i++ {
				queue <- &items[i%4096]
			}
			queue <- &end
		}()
	}
	for c := 0; c < consumers; c++ {
		go func(c int) {
			ops := 0
			for <-queue != &end {
				ops++
			}
			taken[c] = ops
			all.Done()
		}(c)
	}
	time.Sleep(time.Duration(ms) * time.Millisecond)
	atomic.StoreInt32(&stop, 1)
	all.Wait()
	ns := float64(time.Since(start).Nanoseconds())
	total := 0
	for _, ops := range taken {
		total += ops
	}
	return float64(total) * 1e3 / ns
}

func pair(n int) float64 {
	var item byte
	queue := make(chan *byte, 1024)
	start := time.Now()
	for i := 0; i < n; i++ {
		queue <- &item
		<-queue
	}
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

func tasks(n int) float64 {
	var all sync.WaitGroup
	start := time.Now()
	all.Add(n)
	for i := 0; i < n; i++ {
		go all.Done()
	}
	all.Wait()
	return float64(n) * 1e3 / float64(time.Since(start).Nanoseconds())
}

func main() {
	for {
		var what string
		var a, b, c, d int
		if n, _ := fmt.Scan(&what); n != 1 {
			return
		}
		if what == "rate" {
			fmt.Scan(&a, &b, &c, &d)
			fmt.Println(rate(a, b, c, d))
		} else if what == "tasks" {
			fmt.Scan(&a)
			fmt.Println(tasks(a))
		} else {
			fmt.Scan(&a)
			fmt.Println(pair(a))
		}
	}
}
