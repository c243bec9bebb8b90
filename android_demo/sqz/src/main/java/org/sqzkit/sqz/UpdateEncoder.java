package org.sqzkit.sqz;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Takes a file apart against its base (docs/updates.md, "What an update holds"): what Python's program
 * chooses.
 */
final class UpdateEncoder {
    private final Comparison pair;
    private final Plan plan;
    private final Deflate.Check check;
    private final List<Directory.Stream> groups = new ArrayList<>();
    /** Which groups are added to the base's numbers. */
    private final boolean[] summed;
    private final List<Directory.Tensor> tensors = new ArrayList<>();
    /** The codebooks' stream and the weights', if there are tensors. */
    private final List<Directory.Stream> weights = new ArrayList<>();

    UpdateEncoder(byte[] content, byte[] base, Deflate.Check check) throws SqzException {
        this.check = check;
        pair = new Comparison(content, base);
        plan = new Plan(content, pair.changed, pair.likes.keySet(), check);
        summed = new boolean[plan.groups.size()];
        for (int k = 0; k < summed.length; k++) {
            groups.add(encodeGroup(k));
        }
        if (!plan.tensors.isEmpty()) {
            encodeWeights();
        }
    }

    /** Returns the smaller of a group's numbers, and what is to be added to the base's. */
    private Directory.Stream encodeGroup(int number) throws SqzException {
        int width = plan.kinds.get(number).width();
        ByteArrayOutputStream added = new ByteArrayOutputStream();
        boolean any = false;
        for (int k = 0; k < plan.pieces.size(); k++) {
            Spans.Span span = plan.spans.get(k);
            Spans.Span like = like(span);
            if (plan.pieces.get(k).stream != number + 1) {
                continue;
            }
            if (like != null) {
                any = true;
                UpdateLayout.subtract(pair, span.offset, span.length, like.offset, width, added);
            } else {
                added.write(pair.content, span.offset, span.length);
            }
        }
        Directory.Stream plain =
                PlainStreams.encode(plan.groups.get(number).toByteArray(), width, check);
        if (!any) {
            return plain;
        }
        Directory.Stream sums = PlainStreams.encode(added.toByteArray(), width, check);
        summed[number] = sums.coded < plain.coded;
        return summed[number] ? sums : plain;
    }

    /** Returns the base's numbers that a span may be added to, or null. */
    private Spans.Span like(Spans.Span span) {
        Spans.Span like = pair.likes.get(span);
        return like != null && like.length == span.length ? like : null;
    }

    private void encodeWeights() throws SqzException {
        byte[] symbols = plan.symbols.toByteArray();
        int size = 0;
        int at = 0;
        int number = 0;
        for (int k = 0; k < plan.pieces.size(); k++) {
            if (plan.pieces.get(k).stream == plan.weightsStream()) {
                Directory.Tensor tensor = plan.tensors.get(number++);
                int end = at + (int) tensor.size();
                tensors.addAll(ReferenceFinder.split(tensor, Arrays.copyOfRange(symbols, at, end),
                        pair.base, pair.likes.get(plan.spans.get(k)), done -> check.check()));
                size += (int) tensor.size() * tensor.width;
                at = end;
            }
        }
        byte[] coded = ReferenceFinder.encode(tensors, symbols, pair.base, done -> check.check());
        weights.add(PlainStreams.encode(plan.codebooks.toByteArray(), 4, check));
        weights.add(PlainStreams.stream(Directory.WEIGHTS, 1, size, coded));
    }

    /** Returns the update, with bridges between copies or without. */
    Directory archive(boolean bridged) throws SqzException {
        UpdateLayout layout = new UpdateLayout(pair, bridged);
        int[] order = new int[plan.pieces.size()];
        for (int k = 0; k < order.length; k++) {
            Spans.Span span = plan.spans.get(k);
            layout.addUntil(span.offset);
            order[k] = layout.pieces.size();
            layout.add(span.offset, piece(k));
        }
        layout.addUntil(pair.content.length);
        List<Directory.Stream> streams = new ArrayList<>();
        streams.add(PlainStreams.encode(layout.rest.toByteArray(), 4, check));
        streams.addAll(groups);
        if (layout.bridges.size() > 0) {
            streams.add(PlainStreams.encode(layout.bridges.toByteArray(), 4, check));
        }
        int bridges = streams.size() - 1;
        for (Directory.Piece piece : layout.pieces) {
            if (piece.stream == 0) {
                piece.source = order[piece.source];
            } else if (piece.stream == UpdateLayout.BRIDGE) {
                piece.stream = bridges;
            } else if (piece.stream == plan.weightsStream()) {
                piece.stream = streams.size() + 1;
            }
        }
        streams.addAll(weights);
        return new Directory(streams, tensors, layout.pieces);
    }

    /** Returns a piece of the plan as the update has it. */
    private Directory.Piece piece(int number) {
        Directory.Piece planned = plan.pieces.get(number);
        Directory.Piece piece = new Directory.Piece();
        piece.length = planned.length;
        piece.stream = planned.stream;
        piece.source = planned.source;
        piece.factor = planned.factor;
        Spans.Span like = like(plan.spans.get(number));
        int group = piece.stream - 1;
        if (group >= 0 && group < summed.length && summed[group] && like != null) {
            piece.sumWidth = plan.kinds.get(group).width();
            piece.place = like.offset;
        }
        return piece;
    }
}
