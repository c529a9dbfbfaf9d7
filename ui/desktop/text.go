package desktop

// The largest and the least that words are made. Desktops offer 0.5 to 3; what
// is beyond these could not be laid out, or read.
const (
	textLeast = .8
	textMost  = 2
)

// usualText is what a desktop says that asks for no size of words, or for one
// that makes no sense.
const usualText = 1

// textScale is how much larger than usual to make words for a desktop that
// asks for scale.
func textScale(scale float64) float32 {
	if !(scale > 0) { // NaN too
		return usualText
	}
	return float32(min(max(scale, textLeast), textMost))
}
