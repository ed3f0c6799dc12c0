package node

import (
	"testing"
)

// FuzzTags: whatever a member tells of itself is refused, or taken as something
// that this node could have told.
func FuzzTags(f *testing.F) {
	whole := fullTags().encode()
	f.Add(whole[tagProtocol], whole[tagNode], whole[tagRun], whole[tagPhase], whole[tagHTTP], whole[tagPeer], whole[tagVersion])
	f.Add("1-9", "0000000000000001", "1", "", "", ":0", "")
	own := clusterHash("clawd")
	f.Fuzz(func(t *testing.T, protocol, node, run, phase, http, peer, version string) {
		got, err := parseTags(map[string]string{
			tagCluster: own, tagProtocol: protocol, tagNode: node, tagRun: run,
			tagPhase: phase, tagHTTP: http, tagPeer: peer, tagVersion: version,
		}, own)
		if err != nil {
			return
		}
		again, err := parseTags(got.encode(), own)
		if len(got.version) > maxVersion {
			got.version = got.version[:maxVersion]
		}
		if err != nil || again != got {
			t.Fatalf("%+v comes back as %+v, %v", got, again, err)
		}
	})
}
