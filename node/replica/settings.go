package replica

import (
	"fmt"

	"github.com/openclaw/clawd/crdt"
)

// Setting is a register of the cluster's configuration that the replica stores
// and replicates without knowing what it means: keys, tenants.
type Setting struct {
	Key     crdt.RegisterKey
	Value   []byte
	Deleted bool
}

// settingSpaces are the spaces whose registers are settings.
var settingSpaces = []byte{crdt.SpaceAPIKey, crdt.SpaceTenant}

// PutSetting stores a setting for the whole cluster. cond sees what is there;
// the returned generation says when it is on disk.
func (r *Replica) PutSetting(now Instant, key crdt.RegisterKey, value []byte, cond Cond) (created bool, wait uint64, err error) {
	_, created, wait, err = r.putRegister(now, key, value, cond)
	return created, wait, err
}

// DeleteSetting removes a setting, or returns ErrNotFound.
func (r *Replica) DeleteSetting(now Instant, key crdt.RegisterKey) (wait uint64, err error) {
	return r.deleteRegister(now, key, fmt.Sprintf("%q", key.Name), nil)
}

// loadSettings tells Options.Setting of every setting on disk.
func (r *Replica) loadSettings(now Instant) error {
	for _, space := range settingSpaces {
		err := r.store.Registers(string(space), "", func(key string, reg crdt.Register) bool {
			r.clock.Observe(reg.Version, now.Wall)
			r.registerChanged(now, key, reg)
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Replica) settingChanged(key crdt.RegisterKey, reg crdt.Register) {
	if r.opts.Setting != nil {
		r.opts.Setting(Setting{Key: key, Value: reg.Value, Deleted: reg.Deleted})
	}
}
