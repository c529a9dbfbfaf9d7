// Command nothing is the least that a program in Go takes.
package main

func main() {}
