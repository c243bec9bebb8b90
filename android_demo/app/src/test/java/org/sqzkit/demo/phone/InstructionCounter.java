package org.sqzkit.demo.phone;

import com.github.unidbg.arm.backend.Backend;
import com.github.unidbg.arm.backend.BlockHook;
import com.github.unidbg.arm.backend.UnHook;

/** Counts the instructions that an emulated arm64 processor executes, block by block. */
final class InstructionCounter implements BlockHook {
    private static final int INSTRUCTION_BYTES = 4;

    private long instructions;
    private boolean running;

    /** Counts from 0 on. */
    void restart() {
        instructions = 0;
        running = true;
    }

    void stop() {
        running = false;
    }

    long instructions() {
        return instructions;
    }

    @Override
    public void hookBlock(Backend backend, long address, int size, Object user) {
        if (running) {
            instructions += size / INSTRUCTION_BYTES;
        }
    }

    @Override
    public void onAttach(UnHook hook) { }

    @Override
    public void detach() { }
}
