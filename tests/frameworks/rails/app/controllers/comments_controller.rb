class CommentsController < ApplicationController
  def new
    @article = Article.find(params[:article_id])
  end

  def create
    article = Article.find(params[:article_id])
    article.comments.create!(params.require(:comment).permit(:author, :text))
    redirect_to article, notice: 'Thanks.'
  end
end
