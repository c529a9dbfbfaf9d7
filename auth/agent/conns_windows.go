package agent

// maxConns: pipes need no file descriptors.
func maxConns() int { return 1024 }
