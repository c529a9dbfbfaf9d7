package auth

import "strings"

// Nearest returns the known word that a person most likely meant by typed: one
// that begins with it, or else the one with the fewest wrong letters, two at
// most. It is "" for none.
func Nearest(typed string, known []string) string {
	nearest, fewest := "", 3
	for _, word := range known {
		wrong := distance(strings.ToLower(typed), strings.ToLower(word))
		if typed != "" && len(word) > len(typed) && strings.EqualFold(word[:len(typed)], typed) {
			wrong = min(wrong, 1)
		}
		if wrong < min(fewest, len(word)) { // else any two letters are near any others
			nearest, fewest = word, wrong
		}
	}
	return nearest
}

// distance is how many letters are to be replaced, added or removed to turn a
// into b (Levenshtein). Two neighbours in the wrong order count as one.
func distance(a, b string) int {
	before, row := []int(nil), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
